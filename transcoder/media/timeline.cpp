#include "transcoder/media/timeline.h"

#include <algorithm>
#include <cstdlib>

namespace millrace::media {
namespace {

// From decoding a picture to showing it, also of one picture a second; below a jump, so that the
// time of showing is within one of the other stream's.
constexpr Ticks kReorderingMax = Timeline::kJump - kTicksPerSecond;

// The value that equals `raw` modulo 2^33 and lies nearest to `reference`.
Ticks unwrap_near(Ticks raw, Ticks reference) {
    return raw - floor_div<Ticks>(raw - reference + kWrap / 2, kWrap) * kWrap;
}

}  // namespace

Ticks Timeline::place_anchor(std::size_t lane, Ticks raw) {
    if (!latest_)
        return raw;  // the first packet of all says where the line begins
    const Ticks reference = last_[lane].value_or(*latest_);
    const Ticks now = unwrap_near(raw + offset_, reference);
    if (std::abs(now - reference) <= kJump)
        return now;
    const Ticks before = unwrap_near(raw + previous_offset_, reference);
    if (std::abs(before - reference) <= kJump)
        return before;
    ++jumps_;
    previous_offset_ = offset_;
    offset_ = *latest_ - raw;
    return *latest_;
}

Ticks Timeline::beside(Ticks raw) const {
    return wraps_ && latest_ ? unwrap_near(raw + offset_, *latest_) : raw;
}

Timeline::Times Timeline::place(std::size_t lane, Times raw, Ticks duration) {
    if (!wraps_ || (!raw.dts && !raw.pts))
        return raw;
    if (raw.dts && raw.pts && std::abs(unwrap_near(*raw.pts - *raw.dts, 0)) > kReorderingMax)
        raw.dts.reset();
    const Ticks raw_anchor = raw.dts ? *raw.dts : *raw.pts;
    const Ticks anchor = place_anchor(lane, raw_anchor);
    Times placed;
    if (raw.dts)
        placed.dts = anchor;
    if (raw.pts)
        placed.pts = anchor + unwrap_near(*raw.pts - raw_anchor, 0);
    last_[lane] = anchor;
    latest_ = std::max(latest_.value_or(anchor), anchor + std::max<Ticks>(duration, 0));
    return placed;
}

}  // namespace millrace::media
