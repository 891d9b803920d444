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

}  // namespace millrace::media
