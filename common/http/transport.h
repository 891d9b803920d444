#pragma once
// The bytes of one connection, plain or TLS, behind one type: a connection templated on its stream
// costs five times the compile time (measured) and nothing comes back for it.
//
// Internal to common/http. Thread: the edge's.

#include <array>
#include <memory>
#include <span>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace boost::asio::ssl {
class context;
}

namespace millrace::http {

namespace asio = boost::asio;
using Failure = boost::system::error_code;

struct Transferred {
    Failure failure;
    std::size_t bytes = 0;
};

class Transport {
public:
    using Room = std::array<asio::mutable_buffer, 2>;

    virtual ~Transport() = default;
    [[nodiscard]] virtual asio::awaitable<Failure> handshake() = 0;
    // Fills the first buffer, then the second; the second may be empty.
    [[nodiscard]] virtual asio::awaitable<Transferred> read_some(Room room) = 0;
    [[nodiscard]] virtual asio::awaitable<Transferred> write_some(
        std::span<const asio::const_buffer> buffers) = 0;
    // Says that nothing more will be sent; the socket can still be read (raw) and discarded.
    [[nodiscard]] virtual asio::awaitable<void> end_sending() = 0;
    [[nodiscard]] virtual asio::ip::tcp::socket& socket() = 0;
    [[nodiscard]] virtual bool tls() const = 0;
};

[[nodiscard]] std::unique_ptr<Transport> plain_transport(asio::ip::tcp::socket socket);
[[nodiscard]] std::unique_ptr<Transport> tls_transport(asio::ip::tcp::socket socket,
                                                       std::shared_ptr<asio::ssl::context> context);

}  // namespace millrace::http
