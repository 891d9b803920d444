#include "transcoder/media/transcode.h"

#include <map>
#include <numeric>

#include "common/runtime/payload.h"
#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "transcoder/media/stage_queue.h"

namespace millrace::media {
namespace {

using namespace std::chrono_literals;

struct Keeper final : TranscodeObserver {
    void probed(const SourceInfo& source) override { probes.push_back(source); }
    void progress(const Progress& now) override {
        last = now;
        looked += probes.empty() ? 1 : 0;
    }
    void rendition_done(RenditionReport report, std::vector<std::uint8_t> bytes) override {
        order.push_back(report.name);
        files[report.name] = std::move(bytes);
    }
    std::vector<SourceInfo> probes;
    Progress last;
    int looked = 0;  // progress before it was known what the segment holds
    std::vector<std::string> order;
    std::map<std::string, std::vector<std::uint8_t>> files;
};

RenditionSpec rendition(std::string name, Size size, Rational fps = {}) {
    RenditionSpec spec;
    spec.name = std::move(name);
    spec.width = size.width;
    spec.height = size.height;
    spec.fps = fps;
    return spec;
}

Result<TranscodeReport> run(const std::vector<std::uint8_t>& source, TranscodeRequest request,
                            Keeper& keeper, const CancelToken& cancel = {}) {
    if (request.ladder.empty())
        request.ladder = {rendition("out", {80, 45})};
    PayloadSource bytes(make_payload(std::make_shared<BlockPool>(), source));
    return transcode(bytes, request, keeper, cancel);
}

}  // namespace

TEST_CASE("passthrough keeps every frame and every timestamp of video and audio", "[media]") {
    const auto source = test::clip({.seconds = 1.2, .fps = "30000/1001"});
    Keeper keeper;
    const auto report = run(source, {}, keeper);
    REQUIRE(report);
    const auto& out = keeper.files["out"];
    CHECK(test::probe_times(out, "v:0") == test::probe_times(source, "v:0"));
    CHECK(test::probe_times(out, "a:0") == test::probe_times(source, "a:0"));
    CHECK(test::decoded_frames(out) == report->renditions[0].frames);
    CHECK(report->source.frames == report->renditions[0].frames);
    CHECK(report->source.pixels == report->source.frames * 160 * 90);
    CHECK(report->renditions[0].pixels == report->renditions[0].frames * 80 * 46);
    CHECK(test::probe_packets(out, "v:0").front().key);
    CHECK(test::probe_entry(out, "v:0", "has_b_frames") == "2");
    CHECK(report->warnings.empty());
}

TEST_CASE("decode once, and the small rendition is handed out before the large one", "[media]") {
    Keeper keeper;
    TranscodeRequest request;
    request.ladder = {rendition("large", {160, 90}), rendition("small", {32, 18})};
    const auto report = run(test::clip({.seconds = 0.4}), request, keeper);
    REQUIRE(report);
    CHECK(keeper.order == std::vector<std::string>{"small", "large"});
    CHECK(report->renditions[0].name == "large");  // the report is in ladder order
    CHECK(report->source.frames == 10);
}

TEST_CASE("the duration is told before the frames are decoded", "[media]") {
    Keeper keeper;
    REQUIRE(run(test::clip({.seconds = 2.0}), {}, keeper));
    REQUIRE(keeper.probes.size() == 2);
    CHECK(keeper.probes[0].video == VideoCodec::h264);
    CHECK(keeper.probes[0].size == Size{160, 90});
    CHECK(keeper.probes[1].duration == 2s);
    CHECK(keeper.last.frames == 50);
}

TEST_CASE("frames follow the absolute grid across segments of any length", "[media]") {
    // One stream cut at odd places: the frames of all parts are those of the whole.
    for (const Rational fps : {Rational{30, 1}, {15, 1}, {30000, 1001}}) {
        std::vector<std::vector<std::uint8_t>> parts;
        std::int64_t frames = 0;
        double start = 10.0;
        for (const double seconds : {0.52, 0.2, 0.04, 0.88}) {
            Keeper keeper;
            TranscodeRequest request;
            request.ladder = {rendition("out", {80, 45}, fps)};
            const auto report = run(
                test::clip({.seconds = seconds, .start = start, .audio = false}), request, keeper);
            REQUIRE(report);
            frames += report->renditions[0].frames;
            if (report->renditions[0].frames > 0)
                parts.push_back(keeper.files["out"]);
            start += seconds;
        }
        const auto times = test::probe_times(test::joined(parts), "v:0");
        CHECK(static_cast<std::int64_t>(times.size()) == frames);
        for (std::size_t i = 1; i < times.size(); ++i)
            CHECK(std::abs(times[i] - times[i - 1] - 90'000.0 / fps.value()) <= 1.0);
    }
}

TEST_CASE("a GOP length in seconds holds for fractional rates", "[media]") {
    TranscodeRequest request;
    request.ladder = {rendition("out", {80, 45})};
    request.ladder[0].gop_ms = 500;
    Keeper keeper;
    REQUIRE(run(test::clip({.seconds = 2.0, .fps = "30000/1001"}), request, keeper));
    std::vector<std::int64_t> keys;
    for (const auto& packet : test::probe_packets(keeper.files["out"], "v:0"))
        if (packet.key)
            keys.push_back((packet.pts - 900'000) / 45'000);
    CHECK(keys == std::vector<std::int64_t>{0, 1, 2, 3});
}

TEST_CASE("profiles, constant bitrate and intra are what was asked for", "[media]") {
    TranscodeRequest request;
    for (const auto& [name, profile] : {std::pair{"base", VideoProfile::baseline},
                                        {"main", VideoProfile::main},
                                        {"high", VideoProfile::high},
                                        {"chigh", VideoProfile::constrained_high}}) {
        request.ladder.push_back(rendition(name, {160, 90}));
        request.ladder.back().profile = profile;
        request.ladder.back().bitrate = 200'000;
    }
    request.ladder.push_back(rendition("intra", {160, 90}));
    request.ladder.back().gop_ms = kGopIntra;
    Keeper keeper;
    REQUIRE(run(test::clip({.seconds = 2.0}), request, keeper));
    CHECK(test::probe_entry(keeper.files["base"], "v:0", "profile") == "Constrained Baseline");
    CHECK(test::probe_entry(keeper.files["main"], "v:0", "profile") == "Main");
    CHECK(test::probe_entry(keeper.files["high"], "v:0", "profile") == "High");
    CHECK(test::probe_entry(keeper.files["base"], "v:0", "has_b_frames") == "0");
    CHECK(test::probe_entry(keeper.files["chigh"], "v:0", "has_b_frames") == "0");
    for (const auto& packet : test::probe_packets(keeper.files["intra"], "v:0"))
        CHECK(packet.key);
}

TEST_CASE("10 bit and 4:2:2 come out as asked", "[media]") {
    TranscodeRequest request;
    request.ladder = {rendition("deep", {80, 46}), rendition("wide", {80, 46})};
    request.ladder[0].color_depth = 10;
    request.ladder[1].chroma = ChromaFormat::yuv422;
    Keeper keeper;
    REQUIRE(run(test::clip({.seconds = 0.2}), request, keeper));
    CHECK(test::probe_entry(keeper.files["deep"], "v:0", "pix_fmt") == "yuv420p10le");
    CHECK(test::probe_entry(keeper.files["wide"], "v:0", "pix_fmt") == "yuv422p");
}

TEST_CASE("non-square pixels are made square before the box is applied", "[media]") {
    Keeper keeper;
    TranscodeRequest request;
    request.ladder = {rendition("out", {0, 90})};
    const auto report = run(test::clip({.seconds = 0.2, .size = {120, 90}, .filter = "setsar=4/3"}),
                            request, keeper);
    REQUIRE(report);
    CHECK(report->source.size == Size{160, 90});
    CHECK(report->renditions[0].size == Size{160, 90});
    CHECK(test::probe_entry(keeper.files["out"], "v:0", "sample_aspect_ratio") == "1:1");
}

TEST_CASE("odd source sizes are rounded to even ones", "[media]") {
    Keeper keeper;
    TranscodeRequest request;
    request.ladder = {rendition("out", {0, 0})};
    const auto report = run(test::clip({.seconds = 0.2,
                                        .encode = "-c:v libvpx-vp9 -b:v 0 -crf 40 -cpu-used 8 "
                                                  "-c:a libopus",
                                        .filter = "scale=161:121,setsar=1",
                                        .format = "webm"}),
                            request, keeper);
    REQUIRE(report);
    CHECK(report->renditions[0].size.width == 162);
    CHECK(report->renditions[0].size.height == 122);
    CHECK(report->source.video == VideoCodec::vp9);
    // Opus rides in MPEG-TS.
    CHECK(test::probe_entry(keeper.files["out"], "a:0", "codec_name") == "opus");
}

TEST_CASE("pictures lower than libx265 takes cost that rendition alone", "[media]") {
    Keeper keeper;
    TranscodeRequest request;
    request.ladder = {rendition("low", {320, 0}), rendition("lower", {128, 0}),
                      rendition("h264", {128, 0})};
    for (RenditionSpec& spec : request.ladder)
        spec.preset = "ultrafast";  // whose blocks of 32 are higher than "low" is
    request.ladder[0].codec = request.ladder[1].codec = VideoCodec::hevc;
    const auto report = run(test::clip({.seconds = 0.2, .size = {400, 32}}), request, keeper);
    REQUIRE(report);
    REQUIRE(report->renditions.size() == 2);
    CHECK(report->renditions[0].size == Size{320, 26});
    CHECK(test::decoded_frames(keeper.files["low"]) == 5);
    CHECK(report->renditions[1].size == Size{128, 10});
    REQUIRE(report->skipped.size() == 1);
    CHECK(report->skipped[0].name == "lower");
    CHECK(report->skipped[0].reason == "128x10 is too small for hevc: 16 pixels a side at least");
}

// Without sanitizers, glibc's malloc ends the process here when libx265 writes behind its buffers.
TEST_CASE("narrow HEVC pictures are made", "[media]") {
    TranscodeRequest request;
    for (const int depth : {8, 10}) {
        request.ladder = {rendition("out", {40, 0})};
        request.ladder[0].preset = "ultrafast";
        request.ladder[0].codec = VideoCodec::hevc;
        request.ladder[0].color_depth = depth;
        Keeper keeper;
        const auto report = run(test::clip({.seconds = 0.6, .size = {90, 160}}), request, keeper);
        REQUIRE(report);
        CHECK(report->renditions[0].size == Size{40, 72});
        CHECK(test::decoded_frames(keeper.files["out"]) == 15);
    }
}

TEST_CASE("a rendition above its source falls away and is named", "[media]") {
    Keeper keeper;
    TranscodeRequest request;
    request.ladder = {rendition("big", {640, 360}), rendition("out", {80, 45})};
    request.ladder[0].upscale = Upscale::never;
    const auto report = run(test::clip({.seconds = 0.2}), request, keeper);
    REQUIRE(report);
    REQUIRE(report->skipped.size() == 1);
    CHECK(report->skipped[0].name == "big");
    CHECK(report->renditions.size() == 1);
    CHECK(report->renditions[0].index == 1);
}

TEST_CASE("one frame is a segment too", "[media]") {
    Keeper keeper;
    const auto report = run(test::clip({.seconds = 0.04, .audio = false}), {}, keeper);
    REQUIRE(report);
    CHECK(report->renditions[0].frames == 1);
    CHECK(report->source.duration == 40ms);
    CHECK(test::decoded_frames(keeper.files["out"]) == 1);
}

TEST_CASE("an MP4 whose index comes last is read from memory", "[media]") {
    // ffmpeg cannot write that into a pipe; a fragmented one has its index first, so turn it round.
    Keeper keeper;
    auto mp4 = test::clip({.seconds = 0.4,
                           .start = 0,
                           .encode = "-c:v libx264 -preset ultrafast -c:a aac "
                                     "-movflags frag_keyframe+empty_moov",
                           .format = "mp4"});
    const auto report = run(mp4, {}, keeper);
    REQUIRE(report);
    CHECK(report->source.container == Container::mp4);
    CHECK(report->source.frames == 10);
}

TEST_CASE("audio alone is refused as a first segment and carried later", "[media]") {
    const auto source = test::clip({.seconds = 0.5, .video = false});
    Keeper keeper;
    const auto refused = run(source, {}, keeper);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::bad_input);
    TranscodeRequest request;
    request.allow_audio_only = true;
    const auto report = run(source, request, keeper);
    REQUIRE(report);
    CHECK(report->renditions[0].frames == 0);
    CHECK(report->renditions[0].codecs == "mp4a.40.2");
    CHECK(test::probe_times(keeper.files["out"], "a:0") == test::probe_times(source, "a:0"));
}

TEST_CASE("whoever looks into a segment says so while it goes on", "[media]") {
    Keeper keeper;
    REQUIRE(run(test::clip({.seconds = 1.0}), {}, keeper));
    CHECK(keeper.looked > 0);
}

TEST_CASE("who waits for room may look up in between and keeps the item", "[media]") {
    using Queue = StageQueue<std::string>;
    Queue queue(1);
    std::string item = "one";
    REQUIRE(queue.push_within(item, 0ms) == Queue::Push::done);
    item = "two";
    CHECK(queue.push_within(item, 1ms) == Queue::Push::no_room);
    CHECK(item == "two");
    CHECK(queue.pop() == "one");
    CHECK(queue.push_within(item, 0ms) == Queue::Push::done);
    CHECK(queue.pop() == "two");
    queue.abandon();
    item = "three";
    CHECK(queue.push_within(item, 1ms) == Queue::Push::abandoned);
}

TEST_CASE("a rendition without audio has none", "[media]") {
    Keeper keeper;
    TranscodeRequest request;
    request.ladder = {rendition("out", {80, 45})};
    request.ladder[0].audio.mode = AudioMode::none;
    REQUIRE(run(test::clip({.seconds = 0.2}), request, keeper));
    CHECK(test::probe_entry(keeper.files["out"], "a:0", "codec_name").empty());
}

TEST_CASE("a segment cut off inside a packet gives what decodes, and a warning", "[media]") {
    auto source = test::clip({.seconds = 2.0});
    source.resize(source.size() / 2 + 77);
    Keeper keeper;
    const auto report = run(source, {}, keeper);
    REQUIRE(report);
    CHECK(report->source.frames > 10);
    CHECK(report->source.frames < 50);
    CHECK_FALSE(report->warnings.empty());
}

TEST_CASE("limits are counted: frames, seconds, bytes, pixels, renditions", "[media]") {
    const auto source = test::clip({.seconds = 2.0});
    const auto refusal = [&](const Limits& limits) {
        Keeper keeper;
        TranscodeRequest request;
        request.limits = limits;
        const auto report = run(source, request, keeper);
        REQUIRE_FALSE(report);
        CHECK(report.error().kind == ErrorKind::bad_input);
        return report.error().message;
    };
    CHECK(refusal({.frames = 49}) == "the segment has more than 49 frames");
    CHECK(refusal({.duration = 1s}) == "the segment is longer than 1 s");
    CHECK(refusal({.body_bytes = 10'000}) == "the segment is larger than 10000 bytes");
    CHECK(refusal({.streams = 1}) == "the segment has more than 1 streams");
    CHECK_FALSE(refusal({.picture = {128, 72}}).empty());
    CHECK(refusal({.output_bytes = 2000}).find("grew beyond") != std::string::npos);
    Keeper keeper;
    CHECK(run(source, {.limits = {.frames = 50, .picture = {90, 160}}}, keeper));
}

TEST_CASE("what cannot be made is refused with its path in the ladder", "[media]") {
    Keeper keeper;
    TranscodeRequest request;
    request.ladder = {rendition("out", {80, 45})};
    request.ladder[0].codec = VideoCodec::vp9;  // in MPEG-TS
    const auto report = run(test::clip({.seconds = 0.1}), request, keeper);
    REQUIRE_FALSE(report);
    CHECK(report.error().kind == ErrorKind::unsupported);
    CHECK(report.error().message.starts_with("[0].container"));
}

TEST_CASE("a raised cancel token ends the work", "[media]") {
    Keeper keeper;
    const CancelToken cancel;
    cancel.cancel();
    const auto report = run(test::clip({.seconds = 0.2}), {}, keeper, cancel);
    REQUIRE_FALSE(report);
    CHECK(report.error().kind == ErrorKind::timeout);
}

TEST_CASE("random damage never does more than spoil pictures", "[media]") {
    const auto good = test::clip({.seconds = 0.4});
    std::uint64_t state = 1;
    const auto random = [&state] {
        return state = state * 6364136223846793005ULL + 1442695040888963407ULL, state >> 33;
    };
    for (int round = 0; round < 20; ++round) {
        auto bad = good;
        for (int i = 0; i < 200; ++i)
            bad[random() % bad.size()] = static_cast<std::uint8_t>(random());
        Keeper keeper;
        const auto report = run(bad, {}, keeper);
        if (!report)
            CHECK(report.error().kind == ErrorKind::bad_input);
        else
            CHECK(report->renditions.size() == 1);
    }
}

}  // namespace millrace::media
