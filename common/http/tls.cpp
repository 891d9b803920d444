#include "common/http/tls.h"

#include <array>
#include <variant>

#include <boost/asio/ssl.hpp>
#include <sys/stat.h>

namespace millrace::http {
namespace {

namespace ssl = boost::asio::ssl;
using Failure = boost::system::error_code;
using ContextPtr = std::shared_ptr<ssl::context>;
using Where = TlsProblem::Where;

constexpr Duration kReloadCheck = std::chrono::seconds(1);

// HTTP/1.1 is all there is yet; whoever offers other protocols only is told so in the handshake
// (RFC 7301, section 3.2) instead of being misunderstood after it. This is the place where h2 will
// be offered: the protocol chosen decides which kind of connection the edge makes.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* in, unsigned int in_size, void*) {
    static constexpr std::array<unsigned char, 9> kOurs{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    unsigned char* chosen = nullptr;
    const int found = SSL_select_next_proto(&chosen, out_size, kOurs.data(),
                                            static_cast<unsigned int>(kOurs.size()), in, in_size);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// A key with a passphrase is an error: without this OpenSSL would ask on the terminal.
int no_passphrase(char*, int, int, void*) {
    return 0;
}

std::optional<std::string> wrong_place(const std::string& path, bool secret) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0)
        return path + ": " + std::generic_category().message(errno);
    if (!S_ISREG(info.st_mode))
        return path + " is not a file";
    // As for all secrets: 0640 passes, that is how orchestration systems hand files to a group.
    if (secret && (info.st_mode & (S_IRWXO | S_IWGRP)) != 0)
        return path + " can be read by others: chmod 600 it";
    return std::nullopt;
}

std::variant<ContextPtr, TlsProblem> load_context(const TlsFiles& files) {
    if (auto wrong = wrong_place(files.certificate, false))
        return TlsProblem{Where::certificate, std::move(*wrong)};
    if (auto wrong = wrong_place(files.key, true))
        return TlsProblem{Where::key, std::move(*wrong)};
    const auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
    SSL_CTX* native = context->native_handle();
    SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
    SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION);
    // Tickets lie unread in the socket of a client that only sends; when it closes (ffmpeg does not
    // wait for answers) the kernel turns that into a reset, which takes the end of the body with it.
    SSL_CTX_set_num_tickets(native, 0);
    SSL_CTX_set_alpn_select_cb(native, choose_protocol, nullptr);
    SSL_CTX_set_default_passwd_cb(native, no_passphrase);
    Failure failure;
    context->use_certificate_chain_file(files.certificate, failure);
    if (failure)
        return TlsProblem{Where::certificate, files.certificate + ": " + failure.message()};
    context->use_private_key_file(files.key, ssl::context::pem, failure);
    // OpenSSL says "key values mismatch" here already when it knows both.
    if (failure)
        return TlsProblem{Where::key, files.key + ": " + failure.message()};
    if (SSL_CTX_check_private_key(native) != 1)
        return TlsProblem{Where::key, files.key + " is not the key of " + files.certificate};
    return context;
}

// Changes whenever a file is rewritten or replaced.
using Stamp = std::array<std::int64_t, 4>;

Stamp stamp_of(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0)
        return {};
    return {static_cast<std::int64_t>(info.st_ino), info.st_size, info.st_mtim.tv_sec,
            info.st_mtim.tv_nsec};
}

}  // namespace

std::optional<TlsProblem> check_tls_files(const TlsFiles& files) {
    auto loaded = load_context(files);
    if (auto* problem = std::get_if<TlsProblem>(&loaded))
        return std::move(*problem);
    return std::nullopt;
}

struct TlsKeeper::Impl {
    TlsFiles files;
    ContextPtr context;
    std::array<Stamp, 2> loaded{};
    TimePoint checked{};
    std::string warned;

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
    auto loaded = load_context(impl->files);
    if (const auto* problem = std::get_if<TlsProblem>(&loaded))
        return error(ErrorKind::bad_input, problem->detail);
    impl->context = std::get<ContextPtr>(std::move(loaded));
    return std::unique_ptr<TlsKeeper>(new TlsKeeper(std::move(impl)));
}

ContextPtr TlsKeeper::current(TimePoint now, const std::function<void(std::string)>& warn) {
    if (now - impl_->checked < kReloadCheck)
        return impl_->context;
    impl_->checked = now;
    const auto stamps = impl_->stamps();
    if (stamps == impl_->loaded)
        return impl_->context;
    auto loaded = load_context(impl_->files);
    if (const auto* problem = std::get_if<TlsProblem>(&loaded)) {
        if (warn && problem->detail != impl_->warned)
            warn("the old certificate stays in use: " + problem->detail);
        impl_->warned = problem->detail;
        return impl_->context;
    }
    impl_->context = std::get<ContextPtr>(std::move(loaded));
    impl_->loaded = stamps;
    impl_->warned.clear();
    return impl_->context;
}

}  // namespace millrace::http
