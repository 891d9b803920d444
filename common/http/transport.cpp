#include "common/http/transport.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace millrace::http {
namespace {

using asio::ip::tcp;
namespace ssl = asio::ssl;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

void shut_sending(tcp::socket& socket) {
    Failure ignored;
    socket.shutdown(tcp::socket::shutdown_send, ignored);
}

class PlainTransport final : public Transport {
public:
    explicit PlainTransport(tcp::socket socket) : socket_(std::move(socket)) {}

    asio::awaitable<Failure> handshake() override { co_return Failure{}; }

    asio::awaitable<Transferred> read_some(Room room) override {
        const auto [failure, bytes] = co_await socket_.async_read_some(room, kAwait);
        co_return Transferred{failure, bytes};
    }

    asio::awaitable<Transferred> write_some(std::span<const asio::const_buffer> buffers) override {
        const auto [failure, bytes] = co_await socket_.async_write_some(buffers, kAwait);
        co_return Transferred{failure, bytes};
    }

    asio::awaitable<void> end_sending() override {
        shut_sending(socket_);
        co_return;
    }

    tcp::socket& socket() override { return socket_; }
    bool tls() const override { return false; }

private:
    tcp::socket socket_;
};

class TlsTransport final : public Transport {
public:
    TlsTransport(tcp::socket socket, std::shared_ptr<ssl::context> context)
        : context_(std::move(context)), stream_(std::move(socket), *context_) {}

    asio::awaitable<Failure> handshake() override {
        const auto [failure] = co_await stream_.async_handshake(ssl::stream_base::server, kAwait);
        // We have nothing to say after the client's last handshake message: a delayed ACK would
        // hold back the first request of a client with Nagle's algorithm for 40 ms.
        const int at_once = 1;
        ::setsockopt(stream_.next_layer().native_handle(), IPPROTO_TCP, TCP_QUICKACK, &at_once,
                     sizeof at_once);
        co_return failure;
    }

    asio::awaitable<Transferred> read_some(Room room) override {
        const auto [failure, bytes] = co_await stream_.async_read_some(room, kAwait);
        co_return Transferred{failure, bytes};
    }

    asio::awaitable<Transferred> write_some(std::span<const asio::const_buffer> buffers) override {
        const auto [failure, bytes] = co_await stream_.async_write_some(buffers, kAwait);
        co_return Transferred{failure, bytes};
    }

    // The first half of async_shutdown sends our close_notify. Its second half waits for the peer's
    // and fails when the peer is still sending, which an early answer must live with.
    asio::awaitable<void> end_sending() override {
        co_await stream_.async_shutdown(kAwait);
        shut_sending(stream_.next_layer());
    }

    tcp::socket& socket() override { return stream_.next_layer(); }
    bool tls() const override { return true; }

private:
    std::shared_ptr<ssl::context> context_;
    ssl::stream<tcp::socket> stream_;
};

}  // namespace

std::unique_ptr<Transport> plain_transport(tcp::socket socket) {
    return std::make_unique<PlainTransport>(std::move(socket));
}

std::unique_ptr<Transport> tls_transport(tcp::socket socket,
                                         std::shared_ptr<ssl::context> context) {
    return std::make_unique<TlsTransport>(std::move(socket), std::move(context));
}

}  // namespace millrace::http
