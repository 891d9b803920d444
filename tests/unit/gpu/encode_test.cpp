// NVENC in the pipeline, with a library that plays its unit (fake_nvenc.cpp).

#include <algorithm>

#include "tests/support/catch.h"
#include "tests/unit/gpu/on_gpu.h"
#include "tests/unit/media/captions.h"

namespace millrace::media {
namespace {

using Catch::Contains;
using test::encoded;
using test::kVp9;
using test::OnGpu;
using test::quick;

const GpuStage kEncoder{GpuStageKind::encode, "h264_nvenc", true, ""};
const GpuStages kAll = test::decoders_and({test::kScaler, kEncoder});
const GpuStages kNotScaling = test::decoders_and({kEncoder});
constexpr Size kSource{320, 180};

RenditionSpec in(Container container, RenditionSpec spec = quick("hd", {256, 144})) {
    spec.container = container;
    return spec;
}

std::vector<std::int64_t> key_times(const std::vector<std::uint8_t>& file) {
    std::vector<std::int64_t> times;
    for (const test::ProbedPacket& packet : test::probe_packets(file, "v:0"))
        if (packet.key)
            times.push_back(packet.pts);
    return times;
}

}  // namespace

TEST_CASE("pictures go from NVDEC through the kernel to NVENC and never cross the bus",
          "[gpu][nvenc]") {
    if (!test::has_kernel())
        return;
    const Container container = GENERATE(Container::mpegts, Container::mp4);
    const auto source = encoded(kVp9, kSource);
    const Ladder ladder{in(container)};
    const OnGpu gpu(source, ladder, kAll);
    REQUIRE(gpu.report);
    CHECK(gpu.used ==
          StagesUsed{.decoded = DecodedBy::gpu, .scaled = 25, .encoded = {EncodedBy::gpu}});
    const auto cpu = test::transcoded(source, {.ladder = ladder});
    const RenditionReport& made = gpu.report->renditions.front();
    CHECK(made.frames == 25);
    CHECK(made.pixels == cpu.of("hd").pixels);
    CHECK(made.duration == cpu.of("hd").duration);
    const auto& file = gpu.files.at("hd");
    CHECK(test::decoded_frames(file) == 25);
    CHECK(test::probe_times(file, "v:0") == test::probe_times(cpu.files.at("hd"), "v:0"));
    CHECK(key_times(file) == key_times(cpu.files.at("hd")));
    CHECK(test::psnr(file, cpu.files.at("hd"), "null") > 30);
}

TEST_CASE("what the CPU decodes or scales is copied to the encoder", "[gpu][nvenc]") {
    const auto source = GENERATE(true, false)
                            ? encoded(kVp9, kSource)
                            : encoded("-c:v libx264 -preset ultrafast", kSource, "mpegts");
    const OnGpu gpu(source, {in(Container::mpegts)}, kNotScaling);
    REQUIRE(gpu.report);
    CHECK(gpu.used.encoded == std::vector{EncodedBy::gpu});
    CHECK(gpu.used.uploads == 25);
    CHECK(test::decoded_frames(gpu.files.at("hd")) == 25);
}

TEST_CASE("key frames stand where they are asked for", "[gpu][nvenc]") {
    const auto source = encoded(kVp9, kSource);
    RenditionSpec spec = quick("hd", {256, 144});
    spec.gop_ms = GENERATE(400, kGopIntra);
    const Ladder ladder{spec};
    const OnGpu gpu(source, ladder, kAll);
    REQUIRE(gpu.report);
    const auto cpu = test::transcoded(source, {.ladder = ladder});
    CHECK(key_times(gpu.files.at("hd")).size() > 1);
    CHECK(key_times(gpu.files.at("hd")) == key_times(cpu.files.at("hd")));
}

TEST_CASE("segments of a rendition share their headers", "[gpu][nvenc]") {
    const Ladder ladder{in(GENERATE(Container::mpegts, Container::mp4))};
    const OnGpu first(encoded(kVp9, kSource), ladder, kAll);
    const OnGpu second(encoded(kVp9 + " -vf negate", kSource), ladder, kAll);
    REQUIRE(first.report);
    REQUIRE(second.report);
    CHECK(first.files != second.files);
    const auto sets = [](const OnGpu& made) { return made.report->renditions[0].parameter_sets; };
    CHECK(sets(first) != Sha256{});
    CHECK(sets(first) == sets(second));
}

TEST_CASE("captions travel beside pictures to NVENC", "[gpu][nvenc]") {
    // A second at 60 fps, which the unit of these tests does not decode.
    const auto captions = test::source_captions(60, 4);
    RenditionSpec half = quick("half", {160, 90}, {30, 1});
    const OnGpu gpu(test::captioned(captions), {quick("same", {160, 90}), half}, kAll);
    REQUIRE(gpu.report);
    CHECK(gpu.used.encoded == std::vector{EncodedBy::gpu, EncodedBy::gpu});
    for (const char* name : {"same", "half"}) {
        INFO(name);
        const auto shown = test::all_of(test::shown_captions(gpu.files.at(name), false));
        CHECK(test::of_type(shown, 0, 1) == test::of_type(test::all_of(captions), 0, 1));
        CHECK(test::of_type(shown, 2, 3) == test::of_type(test::all_of(captions), 2, 3));
    }
}

TEST_CASE("a constant bitrate keeps to its buffer and leaves its fill", "[gpu][nvenc]") {
    RenditionSpec spec = quick("hd", {256, 144});
    spec.quality = 0;
    spec.bitrate = 400'000;
    const OnGpu gpu(encoded(kVp9, kSource), {spec}, kAll);
    REQUIRE(gpu.report);
    CHECK(gpu.used.encoded == std::vector{EncodedBy::gpu});
    const RenditionReport& made = gpu.report->renditions[0];
    CHECK(made.vbv_fill_bits > 0);
    CHECK(made.bytes * 8 < 2 * 400'000);
}

TEST_CASE("renditions that NVENC does not take are the CPU's, of the same pictures",
          "[gpu][nvenc]") {
    if (!test::has_kernel())
        return;
    const auto source = encoded(kVp9, kSource);
    const Ladder ladder{quick("hd", {256, 144}), quick("small", {80, 48})};
    const OnGpu gpu(source, ladder, kAll);
    REQUIRE(gpu.report);
    CHECK(std::ranges::count(gpu.used.encoded, EncodedBy::gpu) == 1);
    CHECK(std::ranges::count(gpu.used.encoded, EncodedBy::size) == 1);
    CHECK_THAT(gpu.used.encode_reason, Contains("\"small\"") && Contains("145x49"));
    CHECK(gpu.used.downloads == 25);  // the small one's
    CHECK(gpu.used.uploads == 0);
    for (const auto& [name, file] : gpu.files)
        CHECK(test::decoded_frames(file) == 25);
}

TEST_CASE("a card whose encoders are taken leaves the segment to the CPU", "[gpu][nvenc]") {
    const bool scales = GENERATE(true, false);
    const auto source = encoded(kVp9, kSource);
    const Ladder ladder{quick("hd", {256, 144})};
    const OnGpu gpu(source, ladder, scales ? kAll : kNotScaling, "taken");
    REQUIRE(gpu.report);
    CHECK(gpu.used.encoded == std::vector{EncodedBy::refused});
    CHECK_THAT(gpu.used.encode_reason, Contains("h264_nvenc"));
    const auto cpu = test::transcoded(source, {.ladder = ladder});
    CHECK(gpu.report->renditions[0].parameter_sets == cpu.of("hd").parameter_sets);
    CHECK(test::decoded_frames(gpu.files.at("hd")) == 25);
    CHECK(test::psnr(gpu.files.at("hd"), cpu.files.at("hd"), "null") > 38);
}

TEST_CASE("an encoder that fails in mid-stream is an error of the device", "[gpu][nvenc]") {
    const OnGpu gpu(encoded(kVp9, kSource), {quick("hd", {256, 144})}, kAll, "jams");
    REQUIRE_FALSE(gpu.report);
    CHECK(gpu.report.error().kind == ErrorKind::device);
    CHECK_THAT(gpu.report.error().message, Contains("encoding on the GPU"));
}

}  // namespace millrace::media
