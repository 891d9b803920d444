#pragma once
// SHA-256 over bytes that arrive in pieces: the identity of a segment and the end check of every
// transfer. OpenSSL behind it (hardware instructions where the machine has them).
//
// Thread: its owner's. Owner: whoever receives the bytes.

#include <cstdint>
#include <memory>
#include <span>

#include "common/base/ids.h"

namespace millrace {

class Sha256Hasher {
public:
    Sha256Hasher();
    ~Sha256Hasher();
    Sha256Hasher(Sha256Hasher&&) noexcept;
    Sha256Hasher& operator=(Sha256Hasher&&) noexcept;

    void update(std::span<const std::uint8_t> bytes);
    // The digest of everything so far; the hasher starts anew afterwards.
    [[nodiscard]] Sha256 finish();

private:
    struct Context;
    std::unique_ptr<Context> context_;
};

[[nodiscard]] Sha256 sha256_of(std::span<const std::uint8_t> bytes);

}  // namespace millrace
