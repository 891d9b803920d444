#pragma once
// Capacity, load and headroom, always with their unit. Plain values and arithmetic.
//
// Thread: any; values.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "common/domain/rendition.h"

namespace millrace {

inline constexpr std::uint32_t kSlotsMax = 256;  // a transcoder's claim is clamped to 0..256

// What one session, or all sessions of a transcoder, need per second of video.
struct Cost {
    std::int64_t decode_pixels = 0;  // pixels/s
    std::int64_t encode_pixels = 0;  // pixels/s, all renditions
    std::int64_t encoder_sessions = 0;
    std::int64_t bytes = 0;  // bytes/s, both directions
    std::int64_t scale_pixels =
        0;  // pixels/s that scalers read: each rendition reads the whole source
    std::int64_t encode_work =
        0;  // pixels/s of H.264 at veryfast that take as much (encode_effort())
    bool operator==(const Cost&) const = default;
};

[[nodiscard]] Cost operator+(const Cost& a, const Cost& b);
[[nodiscard]] Cost operator-(const Cost& a, const Cost& b);

// What an encoder takes for a pixel, in thousandths of what libx264 takes at veryfast.
[[nodiscard]] std::int64_t encode_effort(const RenditionSpec& spec);
// What an earlier minor does not tell of a session: taken for H.264 at veryfast.
[[nodiscard]] Cost completed(Cost told);

// A CPU that decodes, scales and encodes is one budget, whoever uses it up. Prices are what a machine has measured of
// itself (transcoder/bench). `available` 0 = not measured: it binds nothing.
struct CpuBudget {
    std::int64_t decode = 0;     // ps for each of Cost::decode_pixels
    std::int64_t scale = 0;      // ps for each of Cost::scale_pixels
    std::int64_t encode = 0;     // ps for each of Cost::encode_work
    std::int64_t available = 0;  // ps/s: 10^12 is a core
    bool operator==(const CpuBudget&) const = default;
};
[[nodiscard]] std::int64_t cpu_of(const Cost& cost, const CpuBudget& prices);  // ps/s

// What a transcoder has: 0 in a limit = not measured, it binds nothing.
struct Capacity {
    Cost limits;
    CpuBudget cpu;
    bool operator==(const Capacity&) const = default;
};
// What binds: how much there is (0 = not measured), is taken, and is needed.
struct Dimension {
    std::int64_t capacity = 0;
    std::int64_t load = 0;
    std::int64_t need = 0;
};
[[nodiscard]] std::array<Dimension, 5> dimensions(const Cost& need, const Cost& load,
                                                  const Capacity& capacity);
// True when `need` fits beside `load` in every dimension that was measured.
[[nodiscard]] bool fits(const Cost& need, const Cost& load, const Capacity& capacity);
// The same, or nobody is there yet: alone a session is in nobody's way, and one that is slow is worth more to its
// broadcaster than none. The rule of both sides.
[[nodiscard]] bool takes(const Cost& need, const Cost& load, const Capacity& capacity);
// A load beside which nothing fits.
[[nodiscard]] Cost all_of(const Capacity& capacity);

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
