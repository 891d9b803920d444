#pragma once
// SignIn: broadcasters who have an Ethereum key instead of an account key. They sign a challenge; the address it was
// signed with is the name of an account that the operator has made (`account add 0x…`, lower case).
//
// Rules
// - A challenge is a text in the form of EIP-4361, for one address, one service (its public URL) and five minutes.
//   Nothing is kept of it: its nonce proves that we made it. The key of that proof lives as long as the process,
//   and so does the record of challenges that were used: a restart lets nobody use one twice.
// - A challenge counts once, and only its use by somebody with an account is recorded: strangers cannot fill the
//   record. It is bounded (kUsedMax); when it is full nobody signs in until the oldest has expired.
//
// Thread: any. Owner: the front.

#include <array>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "orchestrator/stake/abi.h"

namespace millrace::orchestrator {

inline constexpr Duration kChallengeLife = std::chrono::minutes(5);

struct Challenge {
    std::string text;
    WallTime expires_at;
};

// As it was posted.
struct SignInAttempt {
    stake::Address address;
    std::string challenge;
    std::string signature;  // 0x and 130 hex digits
};

class SignIn {
public:
    static constexpr std::size_t kUsedMax = 4096;

    SignIn();

    // `url`: of this service, as others reach it.
    [[nodiscard]] Challenge challenge(const stake::Address& address, std::string_view url,
                                      WallTime now) const;

    // Is this a challenge of ours for this address and service, in time, signed by the address? Returns the name of
    // its account; whether there is one is for the caller to find out. bad_input, timeout: why not.
    [[nodiscard]] Result<AccountId> judge(const SignInAttempt& attempt, std::string_view url,
                                          WallTime now) const;

    // After judge(): bad_input when the challenge was used before, overloaded when the record is full.
    [[nodiscard]] Result<void> use_up(const SignInAttempt& attempt, WallTime now);

private:
    using Nonce = std::string;  // hex: time of expiry, random, proof

    [[nodiscard]] Nonce nonce_of(const stake::Address& address, WallTime expires_at,
                                 std::string_view random) const;

    std::array<std::uint8_t, 32> secret_{};
    std::mutex mutex_;
    std::set<std::pair<std::int64_t, Nonce>> used_;  // by expiry, ms
};

}  // namespace millrace::orchestrator
