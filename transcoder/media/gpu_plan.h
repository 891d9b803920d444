#pragma once
// Which stage does what, chosen from what the GPU was found to do and what the source is; and what
// came of it. Pure.
//
// What a plan puts on the GPU may still turn out to be too much for the card (a size, a level):
// FFmpeg then goes on with the CPU's decoder from the first picture on, and the outcome says so.
//
// Thread: any.

#include <cstdint>
#include <string>

#include "common/domain/decoded_by.h"
#include "transcoder/media/gpu_stages.h"

namespace millrace::media {

struct DecodeFacts {
    std::string codec;    // as stages are named: "h264"
    int depth = 0;        // bits; 0: not known before the first picture
    bool yuv420 = false;  // chroma is halved both ways; counts where depth is known
};

struct StageChoice {
    DecodedBy by = DecodedBy::no_gpu;
    std::string reason;  // why not the GPU
    [[nodiscard]] bool on_gpu() const { return by == DecodedBy::gpu; }
    bool operator==(const StageChoice&) const = default;
};

[[nodiscard]] StageChoice plan_decode(const GpuStages& found, const DecodeFacts& source);

// What was really used for a segment.
struct StagesUsed {
    DecodedBy decoded = DecodedBy::no_gpu;  // the last decoder, where a segment needed several
    std::string decode_reason;              // why it was not the GPU
    std::int64_t scaled = 0;                // pictures that the card scaled
    std::string scale_reason;               // why it did not scale some that it decoded
    std::int64_t downloads = 0;             // copies over the bus towards the CPU
    bool operator==(const StagesUsed&) const = default;
};

}  // namespace millrace::media
