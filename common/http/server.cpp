#include "common/http/server.h"

#include <algorithm>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <sys/socket.h>

#include "common/http/connection.h"
#include "common/http/edge.h"
#include "common/http/tls.h"

namespace millrace::http {
namespace {

using asio::ip::tcp;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr int kBacklog = 1024;
// Out of descriptors: connections wait in the kernel until some are closed.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

struct HostPort {
    std::string host, port;
};

std::optional<HostPort> split_address(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    if (colon == std::string::npos || colon + 1 == address.size())
        return std::nullopt;
    std::string host = address.substr(0, colon);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    return HostPort{host.empty() ? "0.0.0.0" : host, address.substr(colon + 1)};
}

std::string text_of(const tcp::endpoint& endpoint) {
    const std::string host = endpoint.address().to_string();
    return (endpoint.address().is_v6() ? '[' + host + ']' : host) + ':' +
           std::to_string(endpoint.port());
}

Result<tcp::endpoint> resolve(asio::io_context& io, const std::string& address) {
    const auto parts = split_address(address);
    if (!parts)
        return error(ErrorKind::bad_input, "'" + address + "' is not HOST:PORT");
    Failure failure;
    tcp::resolver resolver(io);
    const auto found = resolver.resolve(
        parts->host, parts->port, tcp::resolver::passive | tcp::resolver::numeric_service, failure);
    if (failure || found.empty())
        return error(ErrorKind::bad_input, "'" + address + "': " + failure.message());
    return found.begin()->endpoint();
}

Result<void> listen_on(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
    Failure failure;
    acceptor.open(endpoint.protocol(), failure);
    if (!failure)
        acceptor.set_option(tcp::acceptor::reuse_address(true), failure);
    if (!failure)
        acceptor.bind(endpoint, failure);
    if (!failure)
        acceptor.listen(kBacklog, failure);
    if (failure)
        return error(ErrorKind::bad_input,
                     "cannot listen on " + text_of(endpoint) + ": " + failure.message());
    return {};
}

Result<void> adopt_listener(tcp::acceptor& acceptor, int fd) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    Failure failure;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0)
        return error(ErrorKind::bad_input, "the listening socket handed over is not a socket");
    acceptor.assign(name.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), fd, failure);
    if (failure)
        return error(ErrorKind::bad_input,
                     "the listening socket handed over: " + failure.message());
    return {};
}

}  // namespace

struct Server::Impl {
    ServerOptions options;
    std::shared_ptr<Shared> shared = std::make_shared<Shared>();
    std::vector<std::shared_ptr<Edge>> edges;
    std::unique_ptr<TlsKeeper> tls;
    std::optional<tcp::acceptor> acceptor;  // lives on edges[0]
    std::string endpoint;
    std::uint16_t port = 0;
    std::size_t next_edge = 0;  // edges[0]'s thread

    Result<void> open();
    asio::awaitable<void> accept_all();
    asio::awaitable<void> pause();
    void hand_over(tcp::socket socket, Edge& edge);
    void stop_accepting();
};

Result<void> Server::Impl::open() {
    if (options.tls) {
        auto loaded = TlsKeeper::load(*options.tls);
        if (!loaded)
            return loaded.error();
        tls = std::move(*loaded);
    }
    for (unsigned i = 0; i < std::max(options.threads, 1U); ++i)
        edges.push_back(std::make_shared<Edge>(shared));
    acceptor.emplace(edges[0]->io());
    if (options.listen_fd >= 0) {
        MR_TRY(adopt_listener(*acceptor, options.listen_fd));
    } else {
        const auto wanted = resolve(edges[0]->io(), options.address);
        if (!wanted)
            return wanted.error();
        MR_TRY(listen_on(*acceptor, *wanted));
    }
    Failure failure;
    const tcp::endpoint local = acceptor->local_endpoint(failure);
    if (failure)
        return error(ErrorKind::bad_input, "the listening socket: " + failure.message());
    endpoint = text_of(local);
    port = local.port();
    return {};
}

asio::awaitable<void> Server::Impl::accept_all() {
    while (acceptor->is_open()) {
        Edge& edge = *edges[next_edge++ % edges.size()];
        tcp::socket socket(edge.io());
        const auto [failure] = co_await acceptor->async_accept(socket, kAwait);
        if (!failure)
            hand_over(std::move(socket), edge);
        else if (failure != asio::error::operation_aborted)
            co_await pause();
    }
}

asio::awaitable<void> Server::Impl::pause() {
    asio::steady_timer timer(edges[0]->io(), kAcceptPause);
    co_await timer.async_wait(kAwait);
}

void Server::Impl::hand_over(tcp::socket socket, Edge& edge) {
    std::shared_ptr<asio::ssl::context> context;
    if (tls)
        context = tls->current(std::chrono::steady_clock::now(), options.warn);
    edge.post([&edge, socket = std::move(socket), context = std::move(context)]() mutable {
        edge.adopt(std::move(socket), std::move(context));
    });
}

void Server::Impl::stop_accepting() {
    edges[0]->post([this] {
        Failure ignored;
        acceptor->close(ignored);
    });
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler handler) {
    auto impl = std::make_unique<Impl>();
    impl->shared->limits = options.limits;
    impl->shared->handler = std::move(handler);
    impl->options = std::move(options);
    MR_TRY(impl->open());
    Impl* const kept = impl.get();
    asio::co_spawn(
        kept->edges[0]->io(), [kept] { return kept->accept_all(); }, asio::detached);
    for (const auto& edge : kept->edges)
        edge->start();
    return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::~Server() {
    impl_->shared->draining = true;
    impl_->stop_accepting();
    for (const auto& edge : impl_->edges)
        edge->stop();
    for (const auto& edge : impl_->edges)
        edge->join();
    // The handler may hold what its owner destroys next.
    impl_->shared->handler = nullptr;
}

const std::string& Server::local_endpoint() const {
    return impl_->endpoint;
}

std::uint16_t Server::port() const {
    return impl_->port;
}

void Server::begin_drain() {
    impl_->shared->draining = true;
    impl_->stop_accepting();
    for (const auto& edge : impl_->edges)
        edge->post([edge = edge.get()] { edge->drain(); });
}

bool Server::wait_drained(Duration limit) {
    std::unique_lock lock(impl_->shared->mutex);
    return impl_->shared->changed.wait_for(lock, limit,
                                           [&] { return impl_->shared->connections.load() == 0; });
}

ServerCounts Server::counts() const {
    return {impl_->shared->connections.load(), impl_->shared->exchanges.load(),
            impl_->shared->refused.load()};
}

}  // namespace millrace::http
