#pragma once
// Where a certificate and its key lie, and what may be wrong with them.
//
// Thread: any; values.

#include <cstdint>
#include <optional>
#include <string>

namespace millrace::http {

struct TlsFiles {
    std::string certificate;  // PEM, the whole chain, the server's own first
    std::string key;          // PEM, without a passphrase, not readable by others
};

struct TlsProblem {
    enum class Where : std::uint8_t { certificate, key };
    Where where = Where::certificate;
    std::string detail;  // names the file
};

// What is wrong with the pair as it lies there now; nothing when a server can start with it.
[[nodiscard]] std::optional<TlsProblem> check_tls_files(const TlsFiles& files);

}  // namespace millrace::http
