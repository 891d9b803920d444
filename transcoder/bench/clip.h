#pragma once
// What is transcoded while measuring: segments in memory, given by the user or made here.
//
// Thread: any.

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/domain/rendition.h"
#include "common/domain/segment_limits.h"
#include "common/runtime/payload.h"

namespace millrace::bench {

using Clip = std::vector<PayloadPtr>;  // segments, at least one

// Files as they are, each a segment. bad_input: one cannot be read or is larger than a segment may be; the sentence
// names it and says what to do.
[[nodiscard]] Result<Clip> load_clip(const std::vector<std::string>& files,
                                     const SegmentLimits& limits);

// `segments` of `seconds` each: moving shapes and a little noise at 30 frames/s, H.264 at `bitrate`, as a broadcaster's
// encoder would make them. unsupported: this FFmpeg lacks what it is made with; give files instead.
struct Synthetic {
    Size size{1280, 720};
    std::int64_t bitrate = 4'000'000;
    int segments = 3;
    int seconds = 2;
};
[[nodiscard]] Result<Clip> make_clip(const Synthetic& wish);

}  // namespace millrace::bench
