#include "common/http/edge.h"

#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <pthread.h>

#include "common/http/connection.h"

namespace millrace::http {
namespace {

// Connections beyond the limit that are being told so at the same time; more are just closed.
constexpr std::size_t kRefusingMax = 64;

std::string name_of(const asio::ip::tcp::socket& socket) {
    Failure ignored;
    const auto peer = socket.remote_endpoint(ignored);
    const std::string address = peer.address().to_string();
    return (peer.address().is_v6() ? '[' + address + ']' : address) + ':' +
           std::to_string(peer.port());
}

}  // namespace

void Edge::start() {
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "http-edge");
        io_.run();
    });
}

void Edge::drain() {
    std::vector<std::shared_ptr<Connection>> all;
    for (const auto& [id, connection] : connections_)
        all.push_back(connection->shared_from_this());
    for (const auto& connection : all)
        connection->drain();
}

void Edge::stop() {
    const std::lock_guard lock(mutex_);
    if (!open_)
        return;
    open_ = false;
    asio::post(io_, [this] {
        std::vector<std::shared_ptr<Connection>> all;
        for (const auto& [id, connection] : connections_)
            all.push_back(connection->shared_from_this());
        for (const auto& connection : all)
            connection->abort();
        work_.reset();
    });
}

void Edge::join() {
    if (thread_.joinable())
        thread_.join();
}

void Edge::adopt(asio::ip::tcp::socket socket, std::shared_ptr<asio::ssl::context> context) {
    Failure ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    const bool full = shared_->connections.load() >= shared_->limits.connections;
    if (full) {
        ++shared_->refused;
        if (context || refusing_ >= kRefusingMax)
            return;  // the socket closes; a TLS handshake for a refusal would be a gift to floods
        ++refusing_;
    } else {
        ++shared_->connections;
    }
    std::string remote = name_of(socket);
    auto transport = context ? tls_transport(std::move(socket), std::move(context))
                             : plain_transport(std::move(socket));
    const auto connection = std::make_shared<Connection>(shared_from_this(), std::move(transport),
                                                         next_id_++, std::move(remote));
    asio::co_spawn(
        io_,
        [this, connection, full]() -> asio::awaitable<void> {
            if (full)
                co_await connection->refuse();
            else
                co_await connection->serve();
        },
        [this, full](const std::exception_ptr&) {
            // Whatever ended it, the connection is gone; only memory exhaustion gets here as an
            // exception.
            if (full) {
                --refusing_;
                return;
            }
            const std::lock_guard lock(shared_->mutex);
            --shared_->connections;
            shared_->changed.notify_all();
        });
}

}  // namespace millrace::http
