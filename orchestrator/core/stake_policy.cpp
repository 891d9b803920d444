#include "orchestrator/core/stake_policy.h"

namespace millrace::orchestrator {

std::string_view to_string(StakeState state) {
    switch (state) {
        case StakeState::unknown:
            return "unknown";
        case StakeState::active:
            return "active";
        case StakeState::inactive:
            return "inactive";
        case StakeState::stale:
            return "stale";
    }
    return "unknown";
}

void StakePolicy::read(const StakeReading& reading, TimePoint now) {
    last_ = reading;
    read_at_ = now;
    failing_ = false;
}

void StakePolicy::resume(const StakeReading& reading, TimePoint read_at) {
    last_ = reading;
    read_at_ = read_at;
    failing_ = true;
}

void StakePolicy::failed() {
    failing_ = true;
}

bool StakePolicy::known(TimePoint now) const {
    return read_at_ && now - *read_at_ < rules_.grace;
}

StakeLimit StakePolicy::limit(TimePoint now) const {
    if (!known(now) || !last_->active)
        return {0, false};
    if (rules_.per_session.zero())
        return {std::nullopt, true};
    return {sessions_backed(last_->tokens, rules_.per_session), true};
}

StakeState StakePolicy::state(TimePoint now) const {
    if (!known(now))
        return StakeState::unknown;
    if (failing_)
        return StakeState::stale;
    return last_->active ? StakeState::active : StakeState::inactive;
}

std::optional<TimePoint> StakePolicy::next_deadline(TimePoint now) const {
    return known(now) ? std::optional(*read_at_ + rules_.grace) : std::nullopt;
}

}  // namespace millrace::orchestrator
