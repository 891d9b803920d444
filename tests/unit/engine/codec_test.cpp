#include "common/wire/codec.h"

#include "common/base/rng.h"
#include "common/wire/engine_codec.h"
#include "tests/support/catch.h"
#include "transcoder/engine/framing.h"

namespace millrace {
namespace {

EngineTask sample_task() {
    EngineTask task;
    task.ladder = {*preset_rendition("P240p30fps16x9"), *preset_rendition("P720p30fps16x9")};
    task.seq = 42;
    task.seam.vbv_fill_bits = {1000, 2000};
    task.seam.rate_factors_milli = {23'000, 17'500};
    task.seam.sound = {{7}, {{90'000, {1, 2, 3}}}};
    task.limits.frames = 77;
    task.limits.picture = {1920, 1080};
    task.allow_audio_only = true;
    task.threads = 3;
    task.gpu = {{GpuAbilityKind::decode, "h264", true, ""},
                {GpuAbilityKind::encode, "hevc_nvenc", false, "no unit"}};
    return task;
}

TranscodeReport sample_report() {
    TranscodeReport report;
    report.source.frames = 50;
    report.source.codecs = "avc1.64001F";
    RenditionReport rendition;
    rendition.index = 1;
    rendition.name = "P720p30fps16x9";
    rendition.bytes = 12'345;
    rendition.sha256.fill(7);
    report.renditions = {rendition};
    report.skipped = {{0, "P240p30fps16x9", "because"}};
    report.warnings = {"careful"};
    report.times.decode_us = 9;
    report.seam = {{0, 1'000'000}, {0, 23'000}, {{7}, {{90'000, {1, 2, 3}}}}, {}};
    return report;
}

StagesUsed sample_stages() {
    return {.decoded = DecodedBy::refused,
            .decode_reason = "too large",
            .scaled = 3,
            .scale_reason = "turned",
            .encoded = {EncodedBy::gpu, EncodedBy::size, EncodedBy::refused},
            .encode_reason = "160x90 is too small",
            .downloads = 7,
            .uploads = 9};
}

}  // namespace

TEST_CASE("every message to an engine comes back as it was", "[engine][wire]") {
    for (const ToEngine& message : {ToEngine(sample_task()), ToEngine(EngineInputEnd{}),
                                    ToEngine(EngineCancel{}), ToEngine(EngineGiveBackMemory{})}) {
        const auto back = decode_to_engine(encode(message));
        REQUIRE(back);
        CHECK(*back == message);
    }
}

TEST_CASE("every message from an engine comes back as it was", "[engine][wire]") {
    const TranscodeReport report = sample_report();
    for (const FromEngine& message :
         {FromEngine(EngineReady{{true, false, 1 << 30, "namespaces: no", true}}),
          FromEngine(sample_stages()), FromEngine(EngineProbed{report.source}),
          FromEngine(EngineProgress{std::chrono::seconds(2), 50}),
          FromEngine(EngineRendition{report.renditions[0]}), FromEngine(EngineSpent{}),
          FromEngine(EngineFinished{report}),
          FromEngine(EngineFailed{ErrorKind::bad_input, "no video"})}) {
        const auto back = decode_from_engine(encode(message));
        REQUIRE(back);
        CHECK(*back == message);
    }
}

TEST_CASE("the longest report that an engine may make fits into a message", "[engine][wire]") {
    const std::string sentence(1024, 'x');
    TranscodeReport report = sample_report();
    report.skipped.assign(kRenditionsMax, {0, "P240p30fps16x9", sentence});
    report.warnings.assign(16, sentence);
    report.splices.resize(kSplicesMax);
    for (SpliceMarker& splice : report.splices)
        splice.section.resize(kSpliceBytesMax, 1);
    report.seam.sound.packets.assign(
        kSoundPacketsMax, {1, std::vector<std::uint8_t>(kSoundBytesMax / kSoundPacketsMax)});
    const auto engine = decode_from_engine(encode(FromEngine(EngineFinished{report})));
    REQUIRE(engine);
    CHECK(*engine == FromEngine(EngineFinished{report}));
    TaskFinished finished{TaskId{1}, AttemptNo{1}, report, report.seam};
    const auto lane = decode_from_transcoder(encode(FromTranscoder{{}, finished}));
    REQUIRE(lane);
    finished.report.seam = {};
    CHECK((std::get<FromTranscoder>(*lane).message == ToOrchestrator(finished)));
}

TEST_CASE("damaged messages from an engine are errors, never more", "[engine][wire]") {
    const auto good = encode(FromEngine(EngineFinished{sample_report()}));
    Rng rng(1);
    int refused = 0;
    for (int round = 0; round < 2000; ++round) {
        auto bad = good;
        for (std::uint64_t flips = 1 + rng.below(8); flips > 0; --flips)
            bad[rng.below(bad.size())] ^= static_cast<std::uint8_t>(1 + rng.below(255));
        refused += decode_from_engine(bad) ? 0 : 1;
    }
    CHECK(refused > 0);
}

TEST_CASE("a frame's head is refused when it breaks a bound", "[engine]") {
    using engine::FrameHead;
    using engine::FrameType;
    const FrameHead message{FrameType::message, 100, 0};
    CHECK(engine::unpack(engine::pack(message)) == message);
    const FrameHead bytes{FrameType::bytes, 0, 256 * 1024};
    CHECK(engine::unpack(engine::pack(bytes)) == bytes);
    for (const FrameHead& wrong :
         {FrameHead{FrameType::message, 0, 0}, FrameHead{FrameType::message, 128 * 1024 + 1, 0},
          FrameHead{FrameType::message, 8, 8}, FrameHead{FrameType::bytes, 0, 256 * 1024 + 1},
          FrameHead{static_cast<FrameType>(3), 8, 0}})
        CHECK_FALSE(engine::unpack(engine::pack(wrong)));
}

}  // namespace millrace
