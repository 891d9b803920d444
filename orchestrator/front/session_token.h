#pragma once
// Session tokens: what POST /sessions hands out and uploads show. Whoever holds one may push to its
// session; nothing has to be looked up to check it.
//
// Form: "mrs1_" + base64url(version fields, each with its length in front, then HMAC-SHA256 over all of
// them and the prefix). Lengths make the fields unambiguous: (ab, c) and (a, bc) sign differently.
//
// Thread: any; a TokenKeys value is immutable once handed to the front.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace millrace::orchestrator {

inline constexpr Duration kTokenLife = std::chrono::hours(24);

struct TokenKey {
    std::uint32_t id = 0;
    std::vector<std::uint8_t> secret;  // at least 16 bytes
};

// The first key signs; all of them are accepted, so that a key can be rotated while tokens live.
using TokenKeys = std::vector<TokenKey>;

struct SessionClaims {
    SessionId session;
    StreamName stream;
    AccountId account;
    WallTime expires_at;
    bool operator==(const SessionClaims&) const = default;
};

// Fields of up to 255 bytes.
[[nodiscard]] std::string make_session_token(const TokenKeys& keys, const SessionClaims& claims);

// bad_input: malformed, unknown key or forged (the message does not say which: it would help only a
// forger). timeout: genuine, but expired.
[[nodiscard]] Result<SessionClaims> read_session_token(const TokenKeys& keys,
                                                       std::string_view token, WallTime now);

// 128 random bits as 32 lower-case hex digits.
[[nodiscard]] SessionId random_session_id();

}  // namespace millrace::orchestrator
