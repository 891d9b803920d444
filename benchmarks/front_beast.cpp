// The reference: no pool, no limits, no timeouts, no answers from anywhere else. Nothing can be left out of it.

#include <array>
#include <thread>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "benchmarks/front.h"
#include "common/runtime/sha256.h"

namespace millrace::bench {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast::http;
using asio::ip::tcp;
using Failure = boost::system::error_code;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kBufferBytes = 256 * 1024;  // as a payload block

class BeastLoop final : public Door {
public:
    BeastLoop(const Traffic& traffic, const Tls& tls, bool hash)
        : answer_(traffic.answer_bytes, 'x'), hash_(hash) {
        if (!tls.certificate.empty()) {
            context_.emplace(asio::ssl::context::tls_server);
            context_->use_certificate_chain_file(tls.certificate);
            context_->use_private_key_file(tls.key, asio::ssl::context::pem);
        }
        asio::co_spawn(io_, accept(), asio::detached);
        thread_ = std::thread([this] { io_.run(); });
    }
    ~BeastLoop() override {
        io_.stop();
        thread_.join();
    }
    std::uint16_t port() const override { return acceptor_.local_endpoint().port(); }

private:
    asio::awaitable<void> accept() {
        while (true) {
            tcp::socket socket = co_await acceptor_.async_accept(asio::use_awaitable);
            socket.set_option(tcp::no_delay(true));
            if (context_)
                asio::co_spawn(
                    io_, shake_hands(asio::ssl::stream<tcp::socket>(std::move(socket), *context_)),
                    asio::detached);
            else
                asio::co_spawn(io_, serve(std::move(socket)), asio::detached);
        }
    }

    asio::awaitable<void> shake_hands(asio::ssl::stream<tcp::socket> stream) {
        const auto [failure] =
            co_await stream.async_handshake(asio::ssl::stream_base::server, kAwait);
        if (!failure)
            co_await serve(std::move(stream));
    }

    template <class Stream>
    asio::awaitable<void> serve(Stream stream) {
        std::vector<std::uint8_t> buffer(kBufferBytes);
        std::size_t have = 0;
        bool alive = true;
        while (alive)
            alive = co_await one(stream, buffer, have);
    }

    // `have` bytes lie in the buffer; afterwards those of the next request.
    template <class Stream>
    asio::awaitable<bool> one(Stream& stream, std::vector<std::uint8_t>& buffer,
                              std::size_t& have) {
        beast::request_parser<beast::empty_body> parser;
        parser.eager(false);
        parser.body_limit(boost::none);
        std::size_t used = 0;
        while (!parser.is_header_done()) {
            Failure failure = beast::error::need_more;
            if (have > used)
                used += parser.put(asio::buffer(buffer.data() + used, have - used), failure);
            if (failure && failure != beast::error::need_more)
                co_return false;
            if (parser.is_header_done())
                break;
            const auto [broken, bytes] = co_await stream.async_read_some(
                asio::buffer(buffer.data() + have, buffer.size() - have), kAwait);
            have += bytes;
            if (broken)
                co_return false;
        }
        std::uint64_t left = parser.content_length().value_or(0);
        Sha256Hasher hasher;
        std::size_t some = std::min<std::uint64_t>(left, have - used);
        if (hash_)
            hasher.update({buffer.data() + used, some});
        left -= some;
        have = 0;
        while (left > 0) {
            const auto [broken, bytes] = co_await stream.async_read_some(
                asio::buffer(buffer.data(), std::min<std::uint64_t>(left, buffer.size())), kAwait);
            if (hash_)
                hasher.update({buffer.data(), bytes});
            left -= bytes;
            if (broken)
                co_return false;
        }
        if (hash_)
            (void)hasher.finish();
        const bool sent = co_await answer(stream);
        co_return sent;
    }

    template <class Stream>
    asio::awaitable<bool> answer(Stream& stream) {
        const std::string head =
            "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(answer_.size()) + "\r\n\r\n";
        const std::array<asio::const_buffer, 2> buffers{asio::buffer(head), asio::buffer(answer_)};
        const auto [failure, bytes] = co_await asio::async_write(stream, buffers, kAwait);
        co_return !failure;
    }

    std::string answer_;
    bool hash_;
    std::optional<asio::ssl::context> context_;
    asio::io_context io_{1};
    tcp::acceptor acceptor_{io_, {asio::ip::address_v4::loopback(), 0}};
    std::thread thread_;
};

}  // namespace

std::unique_ptr<Door> make_beast_loop(const Traffic& traffic, const Tls& tls, bool hash) {
    return std::make_unique<BeastLoop>(traffic, tls, hash);
}

}  // namespace millrace::bench
