#include "common/net/signing.h"

#include <sodium.h>

#include "common/base/check.h"

namespace millrace::net {
namespace {

static_assert(crypto_sign_SEEDBYTES == kKeyBytes);
static_assert(crypto_sign_PUBLICKEYBYTES == sizeof(SignerKey::bytes));
static_assert(crypto_sign_SECRETKEYBYTES == 64);
static_assert(crypto_sign_BYTES == sizeof(Signature));

const unsigned char* data_of(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

Signer::Signer(const SecretKey& seed) {
    std::array<std::uint8_t, crypto_sign_SECRETKEYBYTES> secret{};
    MR_CHECK(crypto_sign_seed_keypair(key_.bytes.data(), secret.data(), seed.reveal().data()) == 0,
             "a pair follows from its seed");
    secret_ = Secret(secret);
    wipe(secret);
}

Signature Signer::sign(std::string_view bytes) const {
    Signature signature{};
    MR_CHECK(crypto_sign_detached(signature.data(), nullptr, data_of(bytes), bytes.size(),
                                  secret_.reveal().data()) == 0,
             "a key signs");
    return signature;
}

bool signature_holds(const SignerKey& key, std::string_view bytes, const Signature& signature) {
    return crypto_sign_verify_detached(signature.data(), data_of(bytes), bytes.size(),
                                       key.bytes.data()) == 0;
}

}  // namespace millrace::net
