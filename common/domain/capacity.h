#pragma once
// Capacity, load and headroom, always with their unit. Plain values and arithmetic.
//
// Thread: any; values.

#include <cstdint>
#include <string>
#include <vector>

#include "common/domain/rendition.h"

namespace millrace {

inline constexpr std::uint32_t kSlotsMax = 256;  // a transcoder's claim is clamped to 1..256

// What one session, or all sessions of a transcoder, need or have per second of video.
// 0 in a capacity means "not measured": it binds nothing.
struct Cost {
    std::int64_t decode_pixels = 0;  // pixels/s
    std::int64_t encode_pixels = 0;  // pixels/s, all renditions
    std::int64_t encoder_sessions = 0;
    std::int64_t bytes = 0;  // bytes/s, both directions
    bool operator==(const Cost&) const = default;
};

[[nodiscard]] Cost operator+(const Cost& a, const Cost& b);
[[nodiscard]] Cost operator-(const Cost& a, const Cost& b);
// True when `need` fits into `free` in every dimension that `capacity` has measured.
[[nodiscard]] bool fits(const Cost& need, const Cost& free, const Cost& capacity);

// What a transcoder can do. A session is compatible when everything it needs is offered.
struct Capabilities {
    std::vector<VideoCodec> decode;
    std::vector<VideoCodec> encode;
    std::vector<AudioCodec> audio_encode;
    std::vector<Container> containers_out;
    std::int32_t color_depth_max = 8;
    bool operator==(const Capabilities&) const = default;
};

// Names what `ladder` needs and `offered` lacks ("hevc encoder"); empty = compatible.
[[nodiscard]] std::vector<std::string> missing_for(const Ladder& ladder,
                                                   const Capabilities& offered);

// A device of a transcoder, for people and the scheduler. `kind`: "cpu" or "cuda".
struct Device {
    std::string kind;
    std::string name;
    std::uint32_t slots = 0;
    bool operator==(const Device&) const = default;
};

}  // namespace millrace
