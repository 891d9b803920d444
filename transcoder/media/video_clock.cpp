#include "transcoder/media/video_clock.h"

#include <algorithm>

#include "common/base/check.h"

namespace millrace::media {
namespace {

constexpr std::size_t kStepsMax = 4096;
constexpr Ticks kStepUnknown = kTicksPerSecond / 25;

}  // namespace

VideoClock::VideoClock(Rational rate, bool trust_durations)
    : nominal_(rate.num > 0 ? (kTicksPerSecond * rate.den + rate.num / 2) / rate.num : Ticks{0}),
      trust_durations_(trust_durations) {}

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
    return at;
}

Ticks VideoClock::end() const {
    MR_CHECK(first_.has_value(), "the end of a segment without frames");
    return last_ + std::max<Ticks>(step(), 1);
}

}  // namespace millrace::media
