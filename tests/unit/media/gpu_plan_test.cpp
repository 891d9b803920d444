#include "transcoder/media/gpu_plan.h"

#include "tests/support/catch.h"

namespace millrace::media {
namespace {

using Catch::Contains;

// As a card without AV1 and with a broken VP8 unit is found.
const GpuStages kFound{{GpuStageKind::context, "cuda", true, ""},
                       {GpuStageKind::decode, "h264", true, ""},
                       {GpuStageKind::decode, "hevc", true, ""},
                       {GpuStageKind::decode, "av1", true, ""},
                       {GpuStageKind::decode, "vp8", false, "it gives other pictures"},
                       {GpuStageKind::encode, "vp9", true, ""}};

struct Row {
    const char* what;
    DecodeFacts source;
    DecodedBy by;
    const char* reason;
};

}  // namespace

TEST_CASE("a source is decoded where the trial and its format allow", "[media][gpu]") {
    const Row row = GENERATE(
        Row{"plain H.264", {"h264", 8, true}, DecodedBy::gpu, ""},
        Row{"full range is still 4:2:0", {"hevc", 8, true}, DecodedBy::gpu, ""},
        Row{"format not known yet", {"h264", 0, false}, DecodedBy::gpu, ""},
        Row{"10 bits, as HDR has", {"hevc", 10, true}, DecodedBy::format, "10 bits"},
        Row{"4:2:2", {"h264", 8, false}, DecodedBy::format, "chroma"},
        Row{"a unit that failed its trial", {"vp8", 8, true}, DecodedBy::codec, "other pictures"},
        Row{"an encoder is no decoder", {"vp9", 8, true}, DecodedBy::codec, "not tried"},
        Row{"never tried", {"mpeg2video", 8, true}, DecodedBy::codec, "not tried"},
        Row{"AV1 could not fall back", {"av1", 8, true}, DecodedBy::codec, "fall back"});
    INFO(row.what);
    const StageChoice choice = plan_decode(kFound, row.source);
    CHECK(choice.by == row.by);
    CHECK_THAT(choice.reason, Contains(row.reason));
    CHECK(choice.reason.empty() == choice.on_gpu());
}

TEST_CASE("without anything found nothing is put on a GPU", "[media][gpu]") {
    CHECK_FALSE(plan_decode({}, {"h264", 8, true}).on_gpu());
}

namespace {

const GpuStages kEncoders{{GpuStageKind::encode, "h264_nvenc", true, ""},
                          {GpuStageKind::encode, "hevc_nvenc", false, "no capable device"}};

RenditionSpec spec_of(VideoCodec codec, int depth = 8, ChromaFormat chroma = ChromaFormat::yuv420) {
    RenditionSpec spec;
    spec.codec = codec;
    spec.color_depth = depth;
    spec.chroma = chroma;
    return spec;
}

struct EncodeRow {
    const char* what;
    RenditionSpec spec;
    Size size;
    EncodedBy by;
    const char* reason;
};

}  // namespace

TEST_CASE("a rendition is encoded where the trial, its format and its size allow", "[media][gpu]") {
    constexpr Size kHd{1280, 720};
    const auto h264 = spec_of(VideoCodec::h264);
    const EncodeRow row = GENERATE_COPY(
        EncodeRow{"plain H.264", h264, kHd, EncodedBy::gpu, ""},
        EncodeRow{"the smallest", h264, {146, 50}, EncodedBy::gpu, ""},
        EncodeRow{"too narrow", h264, {144, 256}, EncodedBy::size, "144x256"},
        EncodeRow{"too low", h264, {320, 48}, EncodedBy::size, "145x49"},
        EncodeRow{"too wide", h264, {4098, 2304}, EncodedBy::size, "4096x4096"},
        EncodeRow{"odd", h264, {427, 240}, EncodedBy::size, "odd"},
        EncodeRow{"10 bits", spec_of(VideoCodec::h264, 10), kHd, EncodedBy::format, "8 bits"},
        EncodeRow{"4:2:2", spec_of(VideoCodec::h264, 8, ChromaFormat::yuv422), kHd,
                  EncodedBy::format, "4:2:0"},
        EncodeRow{"a unit that failed its trial", spec_of(VideoCodec::hevc), kHd, EncodedBy::codec,
                  "no capable device"},
        EncodeRow{"VP9", spec_of(VideoCodec::vp9), kHd, EncodedBy::codec, "CPU"});
    INFO(row.what);
    const EncodeChoice choice = plan_encode(kEncoders, row.spec, row.size);
    CHECK(choice.by == row.by);
    CHECK_THAT(choice.reason, Contains(row.reason));
    CHECK(choice.reason.empty() == choice.on_gpu());
}

TEST_CASE("an encoder that was not tried is not used", "[media][gpu]") {
    CHECK(plan_encode({}, spec_of(VideoCodec::h264), {640, 360}).by == EncodedBy::codec);
}

}  // namespace millrace::media
