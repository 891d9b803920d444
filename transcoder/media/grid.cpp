#include "transcoder/media/grid.h"

#include <array>
#include <cmath>
#include <limits>

#include "common/base/check.h"

namespace millrace::media {
namespace {

// GCC's 128-bit integer: rates come from users as two 32-bit numbers, times are 64 bits.
__extension__ using Wide = __int128;

constexpr Ticks kGopDefaultTicks = 2 * kTicksPerSecond;
// A frame this little before a boundary still counts as at it (rounded source times).
constexpr Ticks kBoundarySlack = kTicksPerSecond / 500;

constexpr std::array<Rational, 16> kCommonRates{{{1, 1},
                                                 {5, 1},
                                                 {10, 1},
                                                 {12, 1},
                                                 {15, 1},
                                                 {20, 1},
                                                 {24000, 1001},
                                                 {24, 1},
                                                 {25, 1},
                                                 {30000, 1001},
                                                 {30, 1},
                                                 {48, 1},
                                                 {50, 1},
                                                 {60000, 1001},
                                                 {60, 1},
                                                 {120, 1}}};

Rational nearest_common(double rate) {
    Rational best;
    double distance = 0.005;  // half a percent
    for (const Rational& common : kCommonRates) {
        const double off = std::abs(rate / common.value() - 1.0);
        if (off < distance) {
            best = common;
            distance = off;
        }
    }
    return best;
}

}  // namespace

FrameGrid::FrameGrid(Rational rate, Ticks origin) : rate_(rate), origin_(origin) {
    MR_CHECK(rate.num > 0 && rate.den > 0, "a frame grid needs a rate");
}

// Sampling time of k is origin + (8k + 1)/8 * 90000 * den / num; the smallest k at or after `at`.
std::int64_t FrameGrid::first_sampled_at_or_after(Ticks at) const {
    const Wide period = Wide{kTicksPerSecond} * rate_.den;  // ticks * num
    const Wide offset = Wide{8} * rate_.num * (at - origin_) - period;
    return static_cast<std::int64_t>(ceil_div<Wide>(offset, 8 * period));
}

FrameGrid::Range FrameGrid::sampled_in(Ticks from, Ticks to) const {
    Range range{first_sampled_at_or_after(from), first_sampled_at_or_after(to)};
    range.end = std::max(range.first, range.end);
    return range;
}

Ticks FrameGrid::time_of(std::int64_t k) const {
    const Wide doubled = Wide{2} * k * kTicksPerSecond * rate_.den + rate_.num;
    return origin_ + static_cast<Ticks>(floor_div<Wide>(doubled, Wide{2} * rate_.num));
}

KeyGrid::KeyGrid(std::int64_t gop_ms, Ticks origin, Ticks segment_start)
    : intra_(gop_ms == kGopIntra),
      length_(gop_ms > 0 ? gop_ms * kTicksPerSecond / 1000 : kGopDefaultTicks),
      origin_(gop_ms > 0 ? origin : segment_start),
      earliest_(gop_ms > 0 ? std::numeric_limits<Ticks>::min() : segment_start) {}

bool KeyGrid::is_key(Ticks at) {
    // A frame of the frame grid may stand up to an eighth before the segment whose picture it shows.
    const Ticks counted = std::max(at, earliest_) - origin_;
    const std::int64_t cell = floor_div<std::int64_t>(counted + kBoundarySlack, length_);
    const bool key = intra_ || !cell_ || cell > *cell_;
    cell_ = cell;
    return key;
}

NominalRate nominal_rate(Rational average, Rational base) {
    const bool has_average = average.num > 0 && average.den > 0;
    const bool has_base = base.num > 0 && base.den > 0 && base.value() <= 1000.0;
    if (!has_average && !has_base)
        return {};
    // Field rates are given as twice the frame rate: the average knows better.
    const bool agree =
        !has_average || (has_base && std::abs(base.value() / average.value() - 1.0) < 0.01);
    const double measured = agree && has_base ? base.value() : average.value();
    const Rational common = nearest_common(measured);
    if (common.num > 0)
        return {common, agree || nearest_common(average.value()).num > 0};
    return {agree && has_base ? base : average, agree};
}

NominalRate pinned_rate(const NominalRate& measured, const NominalRate& pinned) {
    constexpr double kFaster = 1.1;
    constexpr std::int32_t kDenMax = 1'000'000;
    const Rational& rate = pinned.rate;
    if (rate.num <= 0 || rate.den <= 0 || rate.den > kDenMax || rate.value() < 0.1 ||
        rate.value() > 1000.0)
        return measured;
    const bool faster = measured.constant && pinned.constant &&
                        nearest_common(measured.rate.value()).num > 0 &&
                        measured.rate.value() > kFaster * rate.value();
    return faster ? measured : pinned;
}

}  // namespace millrace::media
