#pragma once
// The certificate that the server shows: loaded, checked, and read again when its files change.
//
// Internal to common/http. Thread: the accepting edge's. Owner: the server.

#include <functional>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/http/tls_files.h"

namespace boost::asio::ssl {
class context;
}

namespace millrace::http {

// Files that changed are read again, at most once a second, when somebody connects; a pair that
// does not fit (half replaced) leaves the old one in use and is tried again. Connections that are
// open keep the certificate they began with.
class TlsKeeper {
public:
    [[nodiscard]] static Result<std::unique_ptr<TlsKeeper>> load(TlsFiles files);
    ~TlsKeeper();

    // `warn` gets a sentence when a reload failed, once per reason.
    [[nodiscard]] std::shared_ptr<boost::asio::ssl::context> current(
        TimePoint now, const std::function<void(std::string)>& warn);

private:
    struct Impl;
    explicit TlsKeeper(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::http
