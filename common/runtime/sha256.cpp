#include "common/runtime/sha256.h"

#include <openssl/evp.h>

#include "common/base/check.h"

namespace millrace {

struct Sha256Hasher::Context {
    Context() : evp(EVP_MD_CTX_new()) {
        MR_CHECK(evp != nullptr, "OpenSSL has memory for a hash");
        begin();
    }
    ~Context() { EVP_MD_CTX_free(evp); }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    void begin() const {
        MR_CHECK(EVP_DigestInit_ex(evp, EVP_sha256(), nullptr) == 1, "OpenSSL offers SHA-256");
    }

    EVP_MD_CTX* evp;
};

Sha256Hasher::Sha256Hasher() : context_(std::make_unique<Context>()) {}
Sha256Hasher::~Sha256Hasher() = default;
Sha256Hasher::Sha256Hasher(Sha256Hasher&&) noexcept = default;
Sha256Hasher& Sha256Hasher::operator=(Sha256Hasher&&) noexcept = default;

void Sha256Hasher::update(std::span<const std::uint8_t> bytes) {
    MR_CHECK(EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) == 1, "hash update");
}

Sha256 Sha256Hasher::finish() {
    Sha256 digest;
    MR_CHECK(EVP_DigestFinal_ex(context_->evp, digest.data(), nullptr) == 1, "hash end");
    context_->begin();
    return digest;
}

Sha256 sha256_of(std::span<const std::uint8_t> bytes) {
    Sha256Hasher hasher;
    hasher.update(bytes);
    return hasher.finish();
}

}  // namespace millrace
