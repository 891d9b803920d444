#pragma once
// Segments made of nothing, for measuring a machine without anybody's video: moving shapes and a little noise, encoded as
// a broadcaster would, MPEG-TS, each from a key frame on, times continuous.
//
// Thread: any.

#include <cstdint>
#include <vector>

#include "common/base/result.h"
#include "common/domain/rendition.h"

namespace millrace::media {

struct SyntheticWish {
    Size size;
    std::int64_t bitrate = 0;  // bit/s
    int segments = 1;
    int seconds = 2;  // of each
};

inline constexpr int kSyntheticRate = 30;  // frames/s

// unsupported: this FFmpeg has no such filters, or no H.264 encoder.
[[nodiscard]] Result<std::vector<std::vector<std::uint8_t>>> synthetic_segments(
    const SyntheticWish& wish);

}  // namespace millrace::media
