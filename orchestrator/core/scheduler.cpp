#include "orchestrator/core/scheduler.h"

#include <algorithm>

#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {
namespace {

constexpr std::int64_t kWhole = 1000;
constexpr std::int64_t kFpsAssumed = 30;
// A ladder was judged before it comes here; these keep the arithmetic safe whatever it says.
constexpr std::int64_t kFpsMax = 1000;
constexpr std::int64_t kSideMax = 65'536;                   // pixels
constexpr std::int64_t kBitrateMax = 100'000'000'000;       // bit/s
constexpr std::int64_t kAmountMax = 1'000'000'000'000'000;  // of a segment: pixels or bytes

std::int64_t left_in(const Dimension& d) {
    if (d.capacity <= 0)
        return kWhole;
    const std::int64_t left = d.capacity - std::clamp<std::int64_t>(d.load + d.need, 0, d.capacity);
    return left * kWhole /
           d.capacity;  // capacities are clamped far below 2^63 / 1000, loads below 2^62
}

std::int64_t cost_headroom(const Candidate& c, const Cost& need) {
    std::int64_t least = kWhole;
    for (const Dimension& d : dimensions(need, c.load, c.capacity))
        least = std::min(least, left_in(d));
    return least;
}

// 0 = not measured yet: it gets the chance to be.
bool fast_enough(std::uint32_t speed) {
    return speed == 0 || speed >= kWhole;
}

// The candidate's figures, computed once per pick.
struct Rank {
    std::int64_t cost_left;
    bool fast_enough;
    std::uint32_t headroom;
    const TranscoderKey* key;

    [[nodiscard]] bool better_than(const Rank& other) const {
        if (cost_left != other.cost_left)
            return cost_left > other.cost_left;
        if (fast_enough != other.fast_enough)
            return fast_enough;
        if (headroom != other.headroom)
            return headroom > other.headroom;
        return *key < *other.key;
    }
};

std::int64_t pixels_of(const RenditionSpec& spec) {
    // One side given: the other follows from the source's shape, 16:9 until it is known.
    const std::int64_t w = std::clamp<std::int64_t>(spec.width, 0, kSideMax);
    const std::int64_t h = std::clamp<std::int64_t>(spec.height, 0, kSideMax);
    const std::int64_t width = w > 0 ? w : h * 16 / 9;
    const std::int64_t height = h > 0 ? h : w * 9 / 16;
    return width * height;
}

std::int64_t rate_of(const RenditionSpec& spec) {
    if (spec.fps.num <= 0 || spec.fps.den <= 0)
        return kFpsAssumed;
    return std::min((std::int64_t{spec.fps.num} + spec.fps.den - 1) / spec.fps.den, kFpsMax);
}

std::int64_t times_in(const Dimension& d) {
    if (d.capacity <= 0 || d.need <= 0)
        return kSlotsMax;
    return std::clamp<std::int64_t>((d.capacity - d.load) / d.need, 0, kSlotsMax);
}

std::uint64_t amount_of(std::int64_t told) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(told, 0));
}

// `pixels`: per second.
std::int64_t work_of(std::int64_t pixels, const RenditionSpec& spec) {
    return std::min(pixels, kAmountMax / kWhole) * encode_effort(spec) / kWhole;
}

std::int64_t per_second(std::uint64_t amount, std::int64_t ms) {
    const auto bounded =
        static_cast<std::int64_t>(std::min<std::uint64_t>(amount, std::uint64_t{kAmountMax}));
    return bounded * 1000 / ms;
}

}  // namespace

std::uint32_t places(const Candidate& c, const Cost& need) {
    std::int64_t times = kSlotsMax;
    for (const Dimension& d : dimensions(need, c.load, c.capacity))
        times = std::min(times, times_in(d));
    const std::int64_t least = takes(need, c.load, c.capacity) ? 1 : 0;
    return std::min(c.headroom, static_cast<std::uint32_t>(std::max(times, least)));
}

bool has_room(const Candidate& candidate, const Cost& need) {
    return places(candidate, need) > 0;
}

std::optional<std::size_t> pick(std::span<const Candidate> candidates, const Cost& need) {
    std::optional<std::size_t> best;
    Rank best_rank{};
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const Candidate& c = candidates[i];
        if (!has_room(c, need))
            continue;
        const Rank rank{cost_headroom(c, need), fast_enough(c.speed), c.headroom, c.key};
        if (best && !rank.better_than(best_rank))
            continue;
        best = i;
        best_rank = rank;
    }
    return best;
}

Cost estimate_cost(const Ladder& ladder) {
    Cost cost;
    for (const RenditionSpec& spec : ladder) {
        const std::int64_t pixels = pixels_of(spec) * rate_of(spec);
        cost.encode_pixels += pixels;
        cost.encode_work += work_of(pixels, spec);
        cost.decode_pixels = std::max(cost.decode_pixels, pixels);
        cost.encoder_sessions += 1;
        cost.bytes += std::clamp<std::int64_t>(spec.bitrate, 0, kBitrateMax) / 8;
    }
    cost.scale_pixels = cost.decode_pixels * cost.encoder_sessions;
    return cost;
}

std::optional<Cost> measured_cost(const TranscodeReport& report, const Ladder& ladder,
                                  std::uint64_t source_bytes) {
    if (report.source.duration < kCostMeasuredMin || report.source.pixels <= 0)
        return std::nullopt;
    const std::int64_t ms = to_ms(report.source.duration);
    std::uint64_t encoded = 0;
    std::uint64_t bytes = source_bytes;
    Cost cost;
    for (const RenditionReport& r : report.renditions) {
        encoded += amount_of(r.pixels);
        bytes += r.bytes;
        cost.encoder_sessions += r.pixels > 0 ? 1 : 0;
        if (r.index < ladder.size())
            cost.encode_work += work_of(per_second(amount_of(r.pixels), ms), ladder[r.index]);
    }
    cost.decode_pixels = per_second(static_cast<std::uint64_t>(report.source.pixels), ms);
    cost.encode_pixels = per_second(encoded, ms);
    cost.scale_pixels = cost.decode_pixels * cost.encoder_sessions;
    cost.bytes = per_second(bytes, ms);
    return cost;
}

}  // namespace millrace::orchestrator
