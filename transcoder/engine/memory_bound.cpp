#include "transcoder/engine/memory_bound.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "transcoder/media/quantiser_range.h"

namespace millrace::engine {
namespace {

// The decoder with its threads, the source's pictures and what libraries hold: seen 250 MiB at 4096x2304.
constexpr std::uint64_t kApartFromRenditions = 512ULL * 1024 * 1024;
// libx264, veryfast: seen some 80 bytes for each pixel of a rendition, of which its lookahead of ten pictures
// takes two and a half each. Half as much again, for other encoders and depths.
constexpr std::uint64_t kBytesPerPixel = 80;
constexpr std::uint64_t kBytesPerPixelAhead = 4;
// Of a side that follows from the source's shape.
constexpr std::int32_t kOpenSide = 4096;
constexpr std::uint64_t kPixelsMax = 4096ULL * 2304;

struct Lookahead {
    std::string_view preset;
    std::uint64_t pictures;
};
// x264's; no other encoder here looks further.
constexpr std::array<Lookahead, 9> kLookaheads{{{"ultrafast", 0},
                                                {"superfast", 0},
                                                {"veryfast", 10},
                                                {"faster", 20},
                                                {"fast", 30},
                                                {"medium", 40},
                                                {"slow", 50},
                                                {"slower", 60},
                                                {"veryslow", 60}}};

std::uint64_t lookahead_of(const RenditionSpec& spec) {
    constexpr std::uint64_t kOfVeryfast = 10;
    const auto* const found = std::ranges::find(kLookaheads, spec.preset, &Lookahead::preset);
    return found == kLookaheads.end() ? kOfVeryfast : found->pictures;
}

// Pictures that wait for the segment's end: it may have to be made again (quantiser_range.h).
std::uint64_t kept_of(const RenditionSpec& spec) {
    return media::has_range(spec) ? media::kTrialBytesMax : 0;
}

std::uint64_t side(std::int32_t pixels) {
    return static_cast<std::uint64_t>(pixels > 0 ? pixels : kOpenSide);
}

}  // namespace

std::uint64_t memory_for(const Ladder& ladder) {
    std::uint64_t bytes = kApartFromRenditions;
    for (const RenditionSpec& spec : ladder) {
        const std::uint64_t pixels = std::min(side(spec.width) * side(spec.height), kPixelsMax);
        bytes +=
            pixels * (kBytesPerPixel + kBytesPerPixelAhead * lookahead_of(spec)) + kept_of(spec);
    }
    return std::clamp(bytes, kMemoryBytes, kMemoryBytesMax);
}

}  // namespace millrace::engine
