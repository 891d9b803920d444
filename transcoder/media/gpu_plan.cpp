#include "transcoder/media/gpu_plan.h"

namespace millrace::media {

StageChoice plan_decode(const GpuStages& found, const DecodeFacts& source) {
    // FFmpeg 5.1's own AV1 decoder has no CPU stage that could go on where the card gives up.
    if (source.codec == "av1")
        return {DecodedBy::codec, "AV1 has nothing to fall back to in mid-stream"};
    const auto stage = std::ranges::find_if(found, [&](const GpuStage& tried) {
        return tried.kind == GpuStageKind::decode && tried.name == source.codec;
    });
    if (stage == found.end())
        return {DecodedBy::codec, source.codec + " was not tried"};
    if (!stage->works)
        return {DecodedBy::codec, source.codec + ": " + stage->reason};
    // The clips of the trial have 8 bits in 4:2:0; deeper ones are mostly HDR, whose tone map is the
    // CPU's.
    if (source.depth > 8)
        return {DecodedBy::format, std::to_string(source.depth) + " bits"};
    if (source.depth > 0 && !source.yuv420)
        return {DecodedBy::format, "chroma other than 4:2:0"};
    return {DecodedBy::gpu, {}};
}

}  // namespace millrace::media
