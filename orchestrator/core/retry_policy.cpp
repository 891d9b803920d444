#include "orchestrator/core/retry_policy.h"

#include <algorithm>

#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {

Reaction reaction(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::bad_input:
            return Reaction::give_up;
        case ErrorKind::unsupported:
            return Reaction::elsewhere;
        case ErrorKind::overloaded:
        case ErrorKind::disconnected:
        case ErrorKind::timeout:
        case ErrorKind::device:
        case ErrorKind::internal:
            return Reaction::elsewhere_or_again;
    }
    return Reaction::elsewhere_or_again;  // a kind from a newer peer
}

Duration retry_pause(std::uint32_t n) {
    const std::uint32_t doublings = std::min(n == 0 ? 0 : n - 1, kRetryPauseDoublings);
    return kRetryPauseMin * (std::int64_t{1} << doublings);
}

Refusal attempts_used_up(const std::string& last) {
    return {ApiCode::transcode_failed, "the attempts to transcode it failed; the last: " + last,
            std::chrono::seconds(1)};
}

Refusal nobody_else_can(const std::string& last) {
    return {ApiCode::no_compatible_transcoders,
            "no other ready transcoder can do this segment: " + last, std::nullopt};
}

bool Budget::take(std::int64_t burst) {
    tokens_ = std::min(tokens_, burst * kUse);
    if (tokens_ < kUse)
        return false;
    tokens_ -= kUse;
    return true;
}

}  // namespace millrace::orchestrator
