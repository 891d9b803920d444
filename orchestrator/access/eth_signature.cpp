#include "orchestrator/access/eth_signature.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include "common/base/check.h"
#include "common/base/hex.h"

namespace millrace::orchestrator {
namespace {

constexpr std::size_t kScalarsBytes = 64;                   // r and s
constexpr std::size_t kSignatureBytes = kScalarsBytes + 1;  // and v
constexpr std::size_t kPointBytes = 65;                     // 4, x, y

struct DestroyContext {
    void operator()(secp256k1_context* context) const { secp256k1_context_destroy(context); }
};
using ContextPtr = std::unique_ptr<secp256k1_context, DestroyContext>;

Error wrong(std::string_view why) {
    return error(ErrorKind::bad_input, "the signature " + std::string(why));
}

// Only read after it was made: any thread may.
const secp256k1_context* context() {
    static const ContextPtr made(secp256k1_context_create(SECP256K1_CONTEXT_VERIFY));
    MR_CHECK(made != nullptr, "libsecp256k1 starts");
    return made.get();
}

stake::Word personal_hash(std::string_view text) {
    return stake::keccak256(
        "\x19"
        "Ethereum Signed Message:\n" +
        std::to_string(text.size()) + std::string(text));
}

bool in_upper_half(const secp256k1_ecdsa_recoverable_signature& signature) {
    secp256k1_ecdsa_signature plain;
    (void)secp256k1_ecdsa_recoverable_signature_convert(context(), &plain, &signature);
    return secp256k1_ecdsa_signature_normalize(context(), nullptr, &plain) == 1;
}

// The last 20 bytes of the hash of the point without its first byte.
stake::Address address_of(const secp256k1_pubkey& key) {
    std::array<unsigned char, kPointBytes> point{};
    std::size_t size = point.size();
    (void)secp256k1_ec_pubkey_serialize(context(), point.data(), &size, &key,
                                        SECP256K1_EC_UNCOMPRESSED);
    const stake::Word hash =
        stake::keccak256({reinterpret_cast<const char*>(point.data()) + 1, point.size() - 1});
    std::array<std::uint8_t, 20> bytes{};
    std::copy(hash.end() - 20, hash.end(), bytes.begin());
    return stake::Address::of_bytes(bytes);
}

}  // namespace

Result<stake::Address> signer_of(std::string_view text, std::string_view signature) {
    const auto bytes = signature.starts_with("0x") ? from_hex(signature.substr(2)) : std::nullopt;
    if (!bytes || bytes->size() != kSignatureBytes)
        return wrong("has to be 0x and 130 hex digits");
    const int v = bytes->back() >= 27 ? bytes->back() - 27 : bytes->back();
    if (v != 0 && v != 1)
        return wrong("ends in a v that is not 27, 28, 0 or 1");
    secp256k1_ecdsa_recoverable_signature parsed;
    if (secp256k1_ecdsa_recoverable_signature_parse_compact(context(), &parsed, bytes->data(), v) !=
        1)
        return wrong("holds numbers that are too large");
    if (in_upper_half(parsed))
        return wrong("has an s in the upper half (EIP-2)");
    secp256k1_pubkey key;
    if (secp256k1_ecdsa_recover(context(), &key, &parsed, personal_hash(text).data()) != 1)
        return wrong("is none that a key can have made");
    return address_of(key);
}

}  // namespace millrace::orchestrator
