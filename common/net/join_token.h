#pragma once
// Join tokens: the one line an operator pastes on a worker (contract.md section 1).
//
//   mrj1_ + base64url of 84 bytes: orchestrator's public key (32), enrolment secret key (32),
//   expiry in seconds since the Unix epoch, big-endian (8; 0 = for ever), id (8), and the first 4
//   bytes of the SHA-256 of "mrj1_" and the 80 bytes before, so that a typo is told from a refusal.
//
// Whoever holds a token may enrol with it: it is a secret and has no output operator.
//
// Thread: any; values.

#include <array>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/net/keys.h"

namespace millrace::net {

inline constexpr std::string_view kJoinTokenPrefix = "mrj1_";

struct JoinToken {
    using Id = std::array<std::uint8_t, 8>;

    PublicKey orchestrator;
    SecretKey enrolment;  // the CURVE key of the first handshake
    std::uint64_t expires_at_s = 0;
    Id id{};

    [[nodiscard]] std::string id_hex() const;
    [[nodiscard]] bool expired(WallTime now) const;
};

[[nodiscard]] JoinToken make_join_token(const PublicKey& orchestrator, std::uint64_t expires_at_s);
[[nodiscard]] Secret<std::string> encode(const JoinToken& token);
// bad_input = malformed. Blanks around the text are ignored. An expired token parses: ask
// expired(), so that the two get their own sentences.
[[nodiscard]] Result<JoinToken> parse_join_token(std::string_view text);

}  // namespace millrace::net
