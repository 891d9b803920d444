#pragma once
// The clock of media: ticks of 1/90000 s, the clock of MPEG-TS (ISO 13818-1, 2.4.3.7), signed and
// unwrapped. Everything between demuxer and muxer counts in it, so no time base travels along.
//
// Sources with another time base (MP4, WebM) are rounded to it once, at the demuxer.
// Thread: any; values.

#include <cstdint>

#include "common/base/time.h"

namespace millrace::media {

using Ticks = std::int64_t;

inline constexpr Ticks kTicksPerSecond = 90'000;
// An MPEG-TS timestamp holds 33 bits: it starts again after 26.5 hours.
inline constexpr Ticks kWrap = Ticks{1} << 33;

[[nodiscard]] constexpr Duration to_duration(Ticks ticks) {
    return Duration(ticks * 100'000 / 9);  // 1 s = 90,000 ticks = 10^9 ns
}
[[nodiscard]] constexpr std::int64_t to_us(Ticks ticks) {
    return ticks * 100 / 9;
}
[[nodiscard]] constexpr Ticks from_duration(Duration duration) {
    return duration.count() / 100'000 * 9 + duration.count() % 100'000 * 9 / 100'000;
}

// Quotients rounded down and up, also for negative numerators. Denominator above 0.
template <class Int>
[[nodiscard]] constexpr Int floor_div(Int numerator, Int denominator) {
    return numerator / denominator - (numerator % denominator < 0 ? 1 : 0);
}
template <class Int>
[[nodiscard]] constexpr Int ceil_div(Int numerator, Int denominator) {
    return numerator / denominator + (numerator % denominator > 0 ? 1 : 0);
}

}  // namespace millrace::media
