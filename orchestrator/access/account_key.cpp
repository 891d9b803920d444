#include "orchestrator/access/account_key.h"

#include <array>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "common/base/base64url.h"
#include "common/base/check.h"
#include "common/base/hex.h"
#include "common/runtime/sha256.h"

namespace millrace::orchestrator {
namespace {

constexpr std::string_view kPrefix = "mrk1_";
constexpr std::size_t kIdBytes = 10;
constexpr std::size_t kKeyBytes = kIdBytes + 32;
// A multiple of three: every character of the text counts.
static_assert(kKeyBytes % 3 == 0);
constexpr std::size_t kTextBytes = kPrefix.size() + kKeyBytes / 3 * 4;

std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Sha256 hash_of(std::string_view text) {
    Sha256Hasher hasher;
    hasher.update(bytes_of(text));
    return hasher.finish();
}

}  // namespace

NewAccountKey make_account_key() {
    std::string bytes(kKeyBytes, '\0');
    MR_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()),
                        static_cast<int>(bytes.size())) == 1,
             "the system has no random bytes");
    NewAccountKey key;
    key.text = std::string(kPrefix) + base64url(bytes);
    key.id = to_hex(bytes_of(bytes).first(kIdBytes));
    key.hash = hash_of(key.text);
    OPENSSL_cleanse(bytes.data(), bytes.size());
    return key;
}

std::optional<ShownAccountKey> read_account_key(std::string_view text) {
    if (!text.starts_with(kPrefix) || text.size() != kTextBytes)
        return std::nullopt;
    const auto bytes = from_base64url(text.substr(kPrefix.size()));
    if (!bytes || bytes->size() != kKeyBytes)
        return std::nullopt;
    return ShownAccountKey{to_hex(bytes_of(*bytes).first(kIdBytes)), hash_of(text)};
}

bool same_hash(const Sha256& a, const Sha256& b) {
    return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace millrace::orchestrator
