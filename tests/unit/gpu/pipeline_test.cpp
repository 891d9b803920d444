// The pipeline with the libraries that play the driver's, which the environment of this test names
// (LD_LIBRARY_PATH, see CMakeLists.txt).

#include "tests/support/catch.h"
#include "tests/unit/gpu/on_gpu.h"
#include "tests/unit/media/clips.h"
#include "tests/unit/media/transcoded.h"

namespace millrace::media {
namespace {

using Catch::Contains;
using test::encoded;
using test::kDecoders;
using test::kVp8;
using test::kVp9;
using test::OnGpu;
using test::quick;

const Ladder kLadder{quick("same", {160, 96}), quick("small", {80, 48})};
const GpuStages kScaling = test::decoders_and({test::kScaler});

StagesUsed decoded_there(std::int64_t downloads, std::int64_t scaled = 0) {
    return {.decoded = DecodedBy::gpu, .scaled = scaled, .downloads = downloads};
}

}  // namespace

TEST_CASE("what the GPU decodes becomes the very renditions that the CPU makes of it",
          "[gpu][pipeline]") {
    const auto source = encoded(GENERATE(kVp9, kVp8));
    const OnGpu gpu(source, kLadder);
    REQUIRE(gpu.report);
    CHECK(gpu.decoding() == decoded_there(25));
    const auto cpu = test::transcoded(source, {.ladder = kLadder});
    REQUIRE(cpu.report);
    CHECK(gpu.report->source.frames == cpu.report->source.frames);
    for (const auto& [name, bytes] : cpu.files) {
        INFO(name);
        CHECK(gpu.files.at(name) == bytes);
    }
}

TEST_CASE("pictures whose sides are no whole blocks lose nothing on the way", "[gpu][pipeline]") {
    const auto source = encoded(kVp9, {162, 98});
    const OnGpu gpu(source, kLadder);
    REQUIRE(gpu.report);
    CHECK(gpu.used.downloads == 25);
    const auto cpu = test::transcoded(source, {.ladder = kLadder});
    CHECK(gpu.files == cpu.files);
}

TEST_CASE("a stream that the card refuses goes on on the CPU from its first picture",
          "[gpu][pipeline]") {
    const OnGpu gpu(encoded("-c:v libx264 -preset ultrafast", {160, 96}, "mpegts"), kLadder);
    REQUIRE(gpu.report);
    CHECK(gpu.report->source.frames == 25);
    CHECK(gpu.used.decoded == DecodedBy::refused);
    CHECK(gpu.used.decode_reason == "the card refused the stream");
    CHECK(gpu.used.downloads == 0);
}

TEST_CASE("a stage that failed its trial is not asked", "[gpu][pipeline]") {
    const OnGpu gpu(encoded(kVp9), kLadder,
                    {{GpuStageKind::decode, "vp9", false, "other pictures"}});
    REQUIRE(gpu.report);
    CHECK(gpu.used.decoded == DecodedBy::codec);
    CHECK(gpu.used.decode_reason == "vp9: other pictures");
}

TEST_CASE("a card that fails in mid-stream is an error of the device, not a damaged picture",
          "[gpu][pipeline]") {
    const OnGpu gpu(encoded(kVp9), kLadder, kDecoders, "dies");
    REQUIRE_FALSE(gpu.report);
    CHECK(gpu.report.error().kind == ErrorKind::device);
    CHECK_THAT(gpu.report.error().message, Contains("decoding on the GPU"));
    const OnGpu after(encoded(kVp9), kLadder);
    CHECK(after.report);
}

TEST_CASE("a card without memory for the stream leaves it to the CPU, or says what failed",
          "[gpu][pipeline]") {
    const OnGpu gpu(encoded(kVp9), kLadder, kDecoders, "full");
    if (!gpu.report)
        CHECK(gpu.report.error().kind == ErrorKind::device);
    else
        CHECK(gpu.report->source.frames == 25);
}

TEST_CASE("without a device there is no GPU to carry anything", "[gpu][pipeline]") {
    setenv("CUDA_FAKE", "none", 1);
    const auto gpu = open_gpu(kDecoders);
    REQUIRE_FALSE(gpu);
    CHECK(gpu.error().kind == ErrorKind::device);
}

// ---- scaling on the card

TEST_CASE(
    "pictures scaled on the card are the CPU's to the eye, and those of the source's size its own",
    "[gpu][pipeline]") {
    if (!test::has_kernel())
        return;
    const Size size = GENERATE(Size{160, 96}, Size{162, 98});
    const auto source = encoded(kVp9, size);
    const OnGpu gpu(source, kLadder, kScaling);
    REQUIRE(gpu.report);
    CHECK(gpu.decoding() == decoded_there(25, 25));
    const auto cpu = test::transcoded(source, {.ladder = kLadder});
    CHECK(gpu.report->source.frames == cpu.report->source.frames);
    const auto alike = [&](const char* name) { return gpu.files.at(name) == cpu.files.at(name); };
    CHECK(alike("same") == (size == Size{160, 96}));
    CHECK_FALSE(alike("small"));  // or nothing was scaled there
    CHECK(test::psnr(gpu.files.at("small"), cpu.files.at("small"), "null") > 38);
}

TEST_CASE("a rendition that the kernel does not make is made by the CPU of the same picture",
          "[gpu][pipeline]") {
    if (!test::has_kernel())
        return;
    const auto source = encoded(kVp9);
    Ladder ladder = kLadder;
    ladder.back().color_depth = 10;
    const OnGpu gpu(source, ladder, kScaling);
    REQUIRE(gpu.report);
    CHECK(gpu.decoding() == decoded_there(50, 25));  // the small one of each and the whole one
    const auto cpu = test::transcoded(source, {.ladder = ladder});
    CHECK(gpu.files == cpu.files);
}

TEST_CASE("what the kernel cannot help is brought whole, and why is told", "[gpu][pipeline]") {
    if (!test::has_kernel())
        return;
    const auto source = encoded(kVp9);
    Ladder ladder{quick("deep", {80, 48})};
    ladder.back().color_depth = 10;
    const OnGpu gpu(source, ladder, kScaling);
    REQUIRE(gpu.report);
    CHECK(gpu.used.scaled == 0);
    CHECK(gpu.used.downloads == 25);
    CHECK(gpu.used.scale_reason == "no rendition is plain 4:2:0 with 8 bits");
    CHECK(gpu.files == test::transcoded(source, {.ladder = ladder}).files);
}

TEST_CASE("a launch that fails in mid-stream is an error of the device", "[gpu][pipeline]") {
    if (!test::has_kernel())
        return;
    const OnGpu gpu(encoded(kVp9), kLadder, kScaling, "throws");
    REQUIRE_FALSE(gpu.report);
    CHECK(gpu.report.error().kind == ErrorKind::device);
    CHECK_THAT(gpu.report.error().message, Contains("launching the scaler"));
}

TEST_CASE("a build or a card without our kernel scales on the CPU", "[gpu][pipeline]") {
    const auto source = encoded(kVp9);
    const OnGpu gpu(source, kLadder, kScaling, "kernelless");
    REQUIRE(gpu.report);
    CHECK(gpu.decoding() == decoded_there(25));
    CHECK(gpu.files == test::transcoded(source, {.ladder = kLadder}).files);
}

}  // namespace millrace::media
