#pragma once
// Ed25519 signatures, for receipts (common/domain/receipt.h). libsodium behind it, which takes only the one
// spelling of a signature and no key of small order.
//
// Thread: any; a Signer is immutable.

#include <string_view>

#include "common/domain/receipt.h"
#include "common/net/keys.h"

namespace millrace::net {

class Signer {
public:
    // The pair that follows from 32 secret random bytes; their file is a key file as keys.h has them.
    explicit Signer(const SecretKey& seed);

    [[nodiscard]] const SignerKey& key() const { return key_; }
    // About 20 us.
    [[nodiscard]] Signature sign(std::string_view bytes) const;

private:
    SignerKey key_;
    Secret<std::array<std::uint8_t, 64>> secret_;
};

// About 50 us.
[[nodiscard]] bool signature_holds(const SignerKey& key, std::string_view bytes,
                                   const Signature& signature);

}  // namespace millrace::net
