#include "common/http/transport.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <sys/stat.h>

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

// HTTP/1.1 is all there is yet; a client that offers something else only gets no ALPN answer.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* in, unsigned int in_size, void*) {
    static constexpr std::array<unsigned char, 9> kOurs{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    unsigned char* chosen = nullptr;
    const int found = SSL_select_next_proto(&chosen, out_size, kOurs.data(),
                                            static_cast<unsigned int>(kOurs.size()), in, in_size);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

Result<std::shared_ptr<ssl::context>> load_context(const TlsFiles& files) {
    const auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
    SSL_CTX* native = context->native_handle();
    SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
    SSL_CTX_set_alpn_select_cb(native, choose_protocol, nullptr);
    Failure failure;
    context->use_certificate_chain_file(files.certificate, failure);
    if (failure)
        return error(ErrorKind::bad_input, files.certificate + ": " + failure.message());
    context->use_private_key_file(files.key, ssl::context::pem, failure);
    if (failure)
        return error(ErrorKind::bad_input, files.key + ": " + failure.message());
    if (SSL_CTX_check_private_key(native) != 1)
        return error(ErrorKind::bad_input, files.key + " is not the key of " + files.certificate);
    return context;
}

// Changes whenever a file is rewritten or replaced.
using Stamp = std::array<std::int64_t, 3>;

Stamp stamp_of(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0)
        return {};
    return {static_cast<std::int64_t>(info.st_ino), info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
}

constexpr Duration kReloadCheck = std::chrono::seconds(1);

}  // namespace

std::unique_ptr<Transport> plain_transport(tcp::socket socket) {
    return std::make_unique<PlainTransport>(std::move(socket));
}

std::unique_ptr<Transport> tls_transport(tcp::socket socket,
                                         std::shared_ptr<ssl::context> context) {
    return std::make_unique<TlsTransport>(std::move(socket), std::move(context));
}

struct TlsKeeper::Impl {
    TlsFiles files;
    std::shared_ptr<ssl::context> context;
    std::array<Stamp, 2> loaded{};
    TimePoint checked{};

    [[nodiscard]] std::array<Stamp, 2> stamps() const {
        return {stamp_of(files.certificate), stamp_of(files.key)};
    }
};

TlsKeeper::TlsKeeper(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsKeeper::~TlsKeeper() = default;

Result<std::unique_ptr<TlsKeeper>> TlsKeeper::load(TlsFiles files) {
    auto impl = std::make_unique<Impl>();
    impl->files = std::move(files);
    impl->loaded = impl->stamps();
    auto context = load_context(impl->files);
    if (!context)
        return context.error();
    impl->context = std::move(*context);
    return std::unique_ptr<TlsKeeper>(new TlsKeeper(std::move(impl)));
}

std::shared_ptr<ssl::context> TlsKeeper::current(TimePoint now,
                                                 const std::function<void(std::string)>& warn) {
    if (now - impl_->checked < kReloadCheck)
        return impl_->context;
    impl_->checked = now;
    const auto stamps = impl_->stamps();
    if (stamps == impl_->loaded)
        return impl_->context;
    auto context = load_context(impl_->files);
    if (context) {
        impl_->context = std::move(*context);
        impl_->loaded = stamps;
    } else if (warn) {
        warn("the old certificate stays in use: " + context.error().message);
    }
    return impl_->context;
}

}  // namespace millrace::http
