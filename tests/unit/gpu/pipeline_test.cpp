// The pipeline with the libraries that play the driver's, which the environment of this test names
// (LD_LIBRARY_PATH, see CMakeLists.txt).

#include <cstdlib>

#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "tests/unit/media/transcoded.h"

namespace millrace::media {
namespace {

using Catch::Contains;
using test::clip;
using test::quick;

const GpuStages kAll{{GpuStageKind::decode, "vp8", true, ""},
                     {GpuStageKind::decode, "vp9", true, ""},
                     {GpuStageKind::decode, "h264", true, ""}};

GpuStages and_scaling() {
    GpuStages stages = kAll;
    stages.push_back({GpuStageKind::scale, std::string(kOurScaler), true, ""});
    return stages;
}

StagesUsed decoded_there(std::int64_t downloads, std::int64_t scaled = 0) {
    StagesUsed used;
    used.decoded = DecodedBy::gpu;
    used.downloads = downloads;
    used.scaled = scaled;
    return used;
}

struct OnGpu final : TranscodeObserver {
    explicit OnGpu(const std::vector<std::uint8_t>& source, const GpuStages& found = kAll,
                   const char* fault = "", const Ladder& asked = ladder()) {
        setenv("CUDA_FAKE", fault, 1);
        auto gpu = open_gpu(found);
        REQUIRE(gpu);
        PayloadSource bytes(make_payload(std::make_shared<BlockPool>(), source));
        report = transcode(bytes, {.ladder = asked, .gpu = *gpu}, *this, {});
    }
    static Ladder ladder() { return {quick("same", {160, 96}), quick("small", {80, 48})}; }
    void stages_used(const StagesUsed& now) override { used = now; }
    void rendition_done(RenditionReport done, std::vector<std::uint8_t> bytes) override {
        files[done.name] = std::move(bytes);
    }
    StagesUsed used;
    std::map<std::string, std::vector<std::uint8_t>> files;
    Result<TranscodeReport> report = error(ErrorKind::internal, "not run");
};

std::vector<std::uint8_t> encoded(const std::string& how, Size size = {160, 96},
                                  const std::string& format = "webm") {
    return clip({.size = size, .audio = false, .encode = how, .format = format});
}
const std::string kVp9 =
    "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -lag-in-frames 0 -b:v 300k";
const std::string kVp8 =
    "-c:v libvpx -deadline realtime -cpu-used 8 -lag-in-frames 0 -auto-alt-ref 0 -b:v 300k";

}  // namespace

TEST_CASE("what the GPU decodes becomes the very renditions that the CPU makes of it",
          "[gpu][pipeline]") {
    const auto source = encoded(GENERATE(kVp9, kVp8));
    const OnGpu gpu(source);
    REQUIRE(gpu.report);
    CHECK(gpu.used == decoded_there(25));
    const auto cpu = test::transcoded(source, {.ladder = OnGpu::ladder()});
    REQUIRE(cpu.report);
    CHECK(gpu.report->source.frames == cpu.report->source.frames);
    for (const auto& [name, bytes] : cpu.files) {
        INFO(name);
        CHECK(gpu.files.at(name) == bytes);
    }
}

TEST_CASE("pictures whose sides are no whole blocks lose nothing on the way", "[gpu][pipeline]") {
    const auto source = encoded(kVp9, {162, 98});
    const OnGpu gpu(source);
    REQUIRE(gpu.report);
    CHECK(gpu.used.downloads == 25);
    const auto cpu = test::transcoded(source, {.ladder = OnGpu::ladder()});
    CHECK(gpu.files == cpu.files);
}

TEST_CASE("a stream that the card refuses goes on on the CPU from its first picture",
          "[gpu][pipeline]") {
    const OnGpu gpu(encoded("-c:v libx264 -preset ultrafast", {160, 96}, "mpegts"));
    REQUIRE(gpu.report);
    CHECK(gpu.report->source.frames == 25);
    CHECK(gpu.used.decoded == DecodedBy::refused);
    CHECK(gpu.used.decode_reason == "the card refused the stream");
    CHECK(gpu.used.downloads == 0);
}

TEST_CASE("a stage that failed its trial is not asked", "[gpu][pipeline]") {
    const OnGpu gpu(encoded(kVp9), {{GpuStageKind::decode, "vp9", false, "other pictures"}});
    REQUIRE(gpu.report);
    CHECK(gpu.used.decoded == DecodedBy::codec);
    CHECK(gpu.used.decode_reason == "vp9: other pictures");
}

TEST_CASE("a card that fails in mid-stream is an error of the device, not a damaged picture",
          "[gpu][pipeline]") {
    const OnGpu gpu(encoded(kVp9), kAll, "dies");
    REQUIRE_FALSE(gpu.report);
    CHECK(gpu.report.error().kind == ErrorKind::device);
    CHECK_THAT(gpu.report.error().message, Contains("decoding on the GPU"));
    const OnGpu after(encoded(kVp9));
    CHECK(after.report);
}

TEST_CASE("a card without memory for the stream leaves it to the CPU, or says what failed",
          "[gpu][pipeline]") {
    const OnGpu gpu(encoded(kVp9), kAll, "full");
    if (!gpu.report)
        CHECK(gpu.report.error().kind == ErrorKind::device);
    else
        CHECK(gpu.report->source.frames == 25);
}

TEST_CASE("without a device there is no GPU to carry anything", "[gpu][pipeline]") {
    setenv("CUDA_FAKE", "none", 1);
    const auto gpu = open_gpu(kAll);
    REQUIRE_FALSE(gpu);
    CHECK(gpu.error().kind == ErrorKind::device);
}

// ---- scaling on the card

TEST_CASE(
    "pictures scaled on the card are the CPU's to the eye, and those of the source's size its own",
    "[gpu][pipeline]") {
    const Size size = GENERATE(Size{160, 96}, Size{162, 98});
    const auto source = encoded(kVp9, size);
    const OnGpu gpu(source, and_scaling());
    REQUIRE(gpu.report);
    CHECK(gpu.used == decoded_there(25, 25));
    const auto cpu = test::transcoded(source, {.ladder = OnGpu::ladder()});
    CHECK(gpu.report->source.frames == cpu.report->source.frames);
    const auto alike = [&](const char* name) { return gpu.files.at(name) == cpu.files.at(name); };
    CHECK(alike("same") == (size == Size{160, 96}));
    CHECK_FALSE(alike("small"));  // or nothing was scaled there
    CHECK(test::psnr(gpu.files.at("small"), cpu.files.at("small"), "null") > 38);
}

TEST_CASE("a rendition that the kernel does not make is made by the CPU of the same picture",
          "[gpu][pipeline]") {
    const auto source = encoded(kVp9);
    Ladder ladder = OnGpu::ladder();
    ladder.back().color_depth = 10;
    const OnGpu gpu(source, and_scaling(), "", ladder);
    REQUIRE(gpu.report);
    CHECK(gpu.used == decoded_there(50, 25));  // the small one of each and the whole one
    const auto cpu = test::transcoded(source, {.ladder = ladder});
    CHECK(gpu.files == cpu.files);
}

TEST_CASE("what the kernel cannot help is brought whole, and why is told", "[gpu][pipeline]") {
    const auto source = encoded(kVp9);
    Ladder ladder{quick("deep", {80, 48})};
    ladder.back().color_depth = 10;
    const OnGpu gpu(source, and_scaling(), "", ladder);
    REQUIRE(gpu.report);
    CHECK(gpu.used.scaled == 0);
    CHECK(gpu.used.downloads == 25);
    CHECK(gpu.used.scale_reason == "no rendition is plain 4:2:0 with 8 bits");
    CHECK(gpu.files == test::transcoded(source, {.ladder = ladder}).files);
}

TEST_CASE("a launch that fails in mid-stream is an error of the device", "[gpu][pipeline]") {
    const OnGpu gpu(encoded(kVp9), and_scaling(), "throws");
    REQUIRE_FALSE(gpu.report);
    CHECK(gpu.report.error().kind == ErrorKind::device);
    CHECK_THAT(gpu.report.error().message, Contains("launching the scaler"));
}

TEST_CASE("a build or a card without our kernel scales on the CPU", "[gpu][pipeline]") {
    const auto source = encoded(kVp9);
    const OnGpu gpu(source, and_scaling(), "kernelless");
    REQUIRE(gpu.report);
    CHECK(gpu.used == decoded_there(25));
    CHECK(gpu.files == test::transcoded(source, {.ladder = OnGpu::ladder()}).files);
}

}  // namespace millrace::media
