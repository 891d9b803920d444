#pragma once
// The tokens that the orchestrator signs. Nothing has to be looked up to check one.
//
// - A session token ("mrs1_") is what POST /sessions hands out: whoever holds it may push to its session.
// - An account token ("mra1_") is what POST /sign-in hands out: it counts as the key of its account.
// - A playback token ("mrp1_") stands in playback_url: whoever holds it may watch its stream, and no more.
//
// Form: prefix + base64url(key id, expiry, the text fields each with its length in front, HMAC-SHA256 over
// the prefix and all of that). Lengths make the fields unambiguous: (ab, c) and (a, bc) sign differently;
// the prefix is signed, so that a viewer's token can never be read as a broadcaster's.
//
// Thread: any; pure but for the random ids.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace millrace::orchestrator {

inline constexpr Duration kTokenLife = std::chrono::hours(24);
// Machines' clocks differ: a token counts for so long after its expiry.
inline constexpr Duration kTokenLeeway = std::chrono::seconds(60);

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
    // Id of the account's key when the token was made: an account that was removed and made again under
    // its name does not honour the tokens of the first. Empty without accounts.
    std::string account_key = {};
    WallTime expires_at = {};
    bool operator==(const SessionClaims&) const = default;
};

struct AccountClaims {
    AccountId account;
    std::string account_key = {};
    WallTime expires_at = {};
    bool operator==(const AccountClaims&) const = default;
};

struct PlaybackClaims {
    StreamName stream;
    AccountId account;  // the stream's owner: the name may be somebody else's next day
    std::string account_key = {};
    WallTime expires_at = {};
    bool operator==(const PlaybackClaims&) const = default;
};

// Fields of up to 255 bytes.
[[nodiscard]] std::string make_session_token(const TokenKeys& keys, const SessionClaims& claims);
[[nodiscard]] std::string make_account_token(const TokenKeys& keys, const AccountClaims& claims);
[[nodiscard]] std::string make_playback_token(const TokenKeys& keys, const PlaybackClaims& claims);

// Written like one; whether it is good is another question.
[[nodiscard]] bool is_session_token(std::string_view text);
[[nodiscard]] bool is_account_token(std::string_view text);

// bad_input: malformed, unknown key or forged (the message does not say which: it would help only a
// forger). timeout: genuine, but expired.
[[nodiscard]] Result<SessionClaims> read_session_token(const TokenKeys& keys,
                                                       std::string_view token, WallTime now);
[[nodiscard]] Result<AccountClaims> read_account_token(const TokenKeys& keys,
                                                       std::string_view token, WallTime now);
[[nodiscard]] Result<PlaybackClaims> read_playback_token(const TokenKeys& keys,
                                                         std::string_view token, WallTime now);

// 128 random bits as 32 lower-case hex digits.
[[nodiscard]] SessionId random_session_id();

}  // namespace millrace::orchestrator
