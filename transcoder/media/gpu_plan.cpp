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

const char* gpu_encoder_name(VideoCodec codec) {
    switch (codec) {
        case VideoCodec::h264:
            return "h264_nvenc";
        case VideoCodec::hevc:
            return "hevc_nvenc";
        default:
            return nullptr;  // FFmpeg 5.1 has no av1_nvenc
    }
}

namespace {

// What cards of all generations take (NVENC's own capability query, as LPMS's users reported it: 145x49 for H.264;
// a little less for HEVC on some), and the largest that all of them do.
constexpr Size kSmallest{145, 49};
constexpr Size kLargest{4096, 4096};

std::string reason_against_size(Size size) {
    const auto text_of = [](Size s) {
        return std::to_string(s.width) + "x" + std::to_string(s.height);
    };
    if (size.width < kSmallest.width || size.height < kSmallest.height)
        return text_of(size) + " is less than the " + text_of(kSmallest) + " that NVENC takes";
    if (size.width > kLargest.width || size.height > kLargest.height)
        return text_of(size) + " is more than the " + text_of(kLargest) + " that NVENC takes";
    return size.width % 2 != 0 || size.height % 2 != 0 ? text_of(size) + " has an odd side"
                                                       : std::string();
}

}  // namespace

EncodeChoice plan_encode(const GpuStages& found, const RenditionSpec& spec, Size size) {
    const char* name = gpu_encoder_name(spec.codec);
    if (name == nullptr)
        return {EncodedBy::codec, std::string(to_string(spec.codec)) + " is the CPU's"};
    const auto stage = std::ranges::find_if(found, [&](const GpuStage& tried) {
        return tried.kind == GpuStageKind::encode && tried.name == name;
    });
    if (stage == found.end())
        return {EncodedBy::codec, std::string(name) + " was not tried"};
    if (!stage->works)
        return {EncodedBy::codec, std::string(name) + ": " + stage->reason};
    if (spec.color_depth > 8 || spec.chroma != ChromaFormat::yuv420)
        return {EncodedBy::format, "only 4:2:0 with 8 bits is encoded there"};
    if (std::string reason = reason_against_size(size); !reason.empty())
        return {EncodedBy::size, std::move(reason)};
    return {EncodedBy::gpu, {}};
}

}  // namespace millrace::media
