#include "orchestrator/stake/stake_keeper.h"

#include <algorithm>

#include "common/runtime/log.h"
#include "common/runtime/wall_clock.h"

namespace millrace::orchestrator::stake {
namespace {

// A kept time that lies in the future is a clock that was set back. This much of it is overlooked.
constexpr Duration kClockLeeway = std::chrono::minutes(1);

}  // namespace

StakeKeeper::StakeKeeper(Loop& loop, std::unique_ptr<StakeSource> source, StakeRules rules,
                         Apply apply, StakeMemory memory)
    : loop_(loop),
      source_(std::move(source)),
      policy_(rules),
      apply_(std::move(apply)),
      memory_(std::move(memory)),
      timer_(loop) {
    remember();
    settle();
    thread_ = std::jthread([this](const std::stop_token& stop) { ask(stop); });
}

StakeKeeper::~StakeKeeper() {
    *alive_ = false;
    thread_.request_stop();
    source_->stop();
}

void StakeKeeper::ask(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        loop_.post([this, alive = alive_, reading = source_->read()] {
            if (*alive)
                take(reading);
        });
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, stop, source_->interval(), [] { return false; });
    }
}

void StakeKeeper::take(const Result<StakeReading>& reading) {
    if (reading) {
        if (!problem_.empty())
            log::info("stake", "known again", {{"source", source_->name()}});
        problem_.clear();
        policy_.read(*reading, loop_.now());
        updated_at_ = wall_now();
        keep(*reading);
    } else {
        // Said once for each reason, not once a second.
        if (problem_ != reading.error().message)
            log::warn("stake", reading.error().message, {{"source", source_->name()}});
        problem_ = reading.error().message;
        policy_.failed();
    }
    settle();
}

// The monotonic clock does not go on over a restart; the wall clock says how old it is.
void StakeKeeper::remember() {
    if (!memory_.kept || memory_.kept->subject != source_->subject())
        return memory_.kept.reset();
    const Duration age = std::chrono::milliseconds(wall_now().ms - memory_.kept->read_at.ms);
    if (age < -kClockLeeway)
        return;
    policy_.resume(memory_.kept->reading, loop_.now() - std::max(age, Duration{0}));
    updated_at_ = memory_.kept->read_at;
}

void StakeKeeper::keep(const StakeReading& reading) {
    const WallTime now = wall_now();
    const bool fresh = memory_.kept && memory_.kept->reading == reading &&
                       std::chrono::milliseconds(now.ms - memory_.kept->read_at.ms) < kKeepEvery;
    if (!memory_.keep || fresh)
        return;
    memory_.kept = KeptStake{source_->subject(), reading, now};
    memory_.keep(*memory_.kept);
}

void StakeKeeper::settle() {
    const TimePoint now = loop_.now();
    const StakeLimit limit = policy_.limit(now);
    if (told_ != limit) {
        log::info("stake", "limit",
                  {{"sessions", limit.sessions ? std::to_string(*limit.sessions) : "unlimited"},
                   {"state", std::string(to_string(policy_.state(now)))},
                   {"tokens", policy_.last() ? policy_.last()->tokens.text() : "unknown"}});
        told_ = limit;
        apply_(limit);
    }
    if (const auto next = policy_.next_deadline(now))
        timer_.set(*next, [this] { settle(); });
}

StakeView StakeKeeper::view() const {
    const TimePoint now = loop_.now();
    StakeView view;
    view.source = source_->name();
    view.state = to_string(policy_.state(now));
    view.active = policy_.limit(now).active;
    view.updated_at = updated_at_;
    view.problem = problem_;
    if (policy_.last()) {
        view.tokens = policy_.last()->tokens;
        view.round = policy_.last()->round;
        view.age = now - *policy_.read_at();
    }
    return view;
}

}  // namespace millrace::orchestrator::stake
