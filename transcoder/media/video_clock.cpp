#include "transcoder/media/video_clock.h"

#include <algorithm>
#include <cstdlib>

#include "common/base/check.h"

namespace millrace::media {
namespace {

constexpr std::size_t kStepsMax = 4096;
constexpr Ticks kStepUnknown = kTicksPerSecond / 25;
constexpr Ticks kMillisecond = kTicksPerSecond / 1000;

}  // namespace

VideoClock::VideoClock(Rational rate, bool trust_durations, bool rounded)
    : nominal_(rate.num > 0 ? (kTicksPerSecond * rate.den + rate.num / 2) / rate.num : Ticks{0}),
      trust_durations_(trust_durations) {
    if (rounded && rate.num > 0)
        rounded_.emplace(rate, 0);
}

Ticks VideoClock::step() const {
    if (trust_durations_ && last_duration_ > 0)
        return last_duration_;
    if (!steps_.empty()) {
        std::vector<Ticks> sorted = steps_;
        std::ranges::nth_element(sorted, sorted.begin() + static_cast<long>(sorted.size() / 2));
        return sorted[sorted.size() / 2];
    }
    if (nominal_ > 0)
        return nominal_;
    return last_duration_ > 0 ? last_duration_ : kStepUnknown;
}

Ticks VideoClock::place(std::optional<Ticks> pts, Ticks duration) {
    if (!first_) {
        first_ = last_ = pts.value_or(0);
        last_duration_ = duration;
        note_rounding();
        return last_;
    }
    Ticks at = pts ? *pts : last_ + step();
    if (!pts || at <= last_)
        ++repaired_;
    at = std::max(at, last_ + 1);
    if (steps_.size() < kStepsMax)
        steps_.push_back(at - last_);
    last_ = at;
    last_duration_ = duration;
    note_rounding();
    return at;
}

void VideoClock::note_rounding() {
    if (last_ % kMillisecond != 0)
        rounded_.reset();
    if (!rounded_)
        return;
    const Ticks off = last_ - *first_ - rounded_->time_of(frames_++);
    off_least_ = std::min(off_least_, off);
    off_most_ = std::max(off_most_, off);
}

// Rounding errors lie evenly around what was rounded: the middle of them is where the frames stood.
std::optional<Ticks> VideoClock::end_of_rounded() const {
    const bool even = off_most_ - off_least_ <= kMillisecond + 1;
    if (!rounded_ || !even || std::abs(last_duration_ - nominal_) > kMillisecond)
        return std::nullopt;
    const Ticks end = *first_ + rounded_->time_of(frames_) + (off_least_ + off_most_) / 2;
    return floor_div<Ticks>(end + kMillisecond / 2, kMillisecond) * kMillisecond;
}

Ticks VideoClock::end() const {
    MR_CHECK(first_.has_value(), "the end of a segment without frames");
    if (const auto end = end_of_rounded(); end && *end > last_)
        return *end;
    return last_ + std::max<Ticks>(step(), 1);
}

}  // namespace millrace::media
