#pragma once
// Account keys: what a broadcaster shows. "mrk1_" + base64url(id, 10 bytes; secret, 32 random bytes).
//
// The id finds the account without looking at the others; only the hash of the whole key is kept. SHA-256
// without salt and rounds is enough here, unlike for passwords: the secret has 256 random bits, so there is
// no list of likely secrets to try, and two accounts never share one.
//
// Thread: any; pure but for the random bytes.

#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"

namespace millrace::orchestrator {

struct NewAccountKey {
    std::string text;  // the secret; shown once
    std::string id;    // hex
    Sha256 hash{};
};
[[nodiscard]] NewAccountKey make_account_key();

struct ShownAccountKey {
    std::string id;
    Sha256 hash{};
};
// Nothing: not written like a key.
[[nodiscard]] std::optional<ShownAccountKey> read_account_key(std::string_view text);

// In constant time.
[[nodiscard]] bool same_hash(const Sha256& a, const Sha256& b);

}  // namespace millrace::orchestrator
