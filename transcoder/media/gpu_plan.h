#pragma once
// Which stage does what, chosen from what the GPU was found to do and what the source is. Pure.
// What came of it is told in StagesUsed (common/domain/stages_used.h).
//
// What a plan puts on the GPU may still turn out to be too much for the card (a size, a level):
// FFmpeg then goes on with the CPU's decoder from the first picture on, and the outcome says so.
//
// Thread: any.

#include <cstdint>
#include <string>

#include "common/domain/rendition.h"
#include "common/domain/stages_used.h"
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

struct EncodeChoice {
    EncodedBy by = EncodedBy::codec;
    std::string reason;  // why not the GPU
    [[nodiscard]] bool on_gpu() const { return by == EncodedBy::gpu; }
    bool operator==(const EncodeChoice&) const = default;
};

// FFmpeg's name of NVENC's encoder for a codec; null: it has none.
[[nodiscard]] const char* gpu_encoder_name(VideoCodec codec);
// `size`: of the rendition's pictures.
[[nodiscard]] EncodeChoice plan_encode(const GpuStages& found, const RenditionSpec& spec,
                                       Size size);

}  // namespace millrace::media
