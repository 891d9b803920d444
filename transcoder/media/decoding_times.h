#pragma once
// When packets are decoded, given when their pictures are shown: for containers that store decoding
// times apart and cannot count below zero.
//
// Thread: any; pure arithmetic, no libav.

#include <optional>
#include <vector>

#include "transcoder/media/ticks.h"

namespace millrace::media {

// `shown`: times of all pictures, rising. `packets`: times of the packets' pictures in decoding
// order. `delay`: how far decoding runs ahead of showing at a constant rate, so that consecutive
// segments of a rendition meet; without one (uneven times) a quarter of a second or what is needed.
// Result: strictly rising, none above its picture's time, none below `floor` unless there is no
// room; shown n-th means decoded n-th.
[[nodiscard]] std::vector<Ticks> decoding_times(const std::vector<Ticks>& shown,
                                                const std::vector<Ticks>& packets,
                                                std::optional<Ticks> delay, Ticks floor);

}  // namespace millrace::media
