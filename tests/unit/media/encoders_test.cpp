// Every codec in every container it may go into: frames, times, key frames, colours, profiles, as
// ffprobe and ffmpeg see them, of segments alone and joined.

#include <cmath>

#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "tests/unit/media/transcoded.h"

namespace millrace::media {
namespace {

struct Row {
    VideoCodec codec;
    Container container;
    const char* name;    // ffprobe's
    const char* string;  // how the CODECS string begins
};

constexpr Row kRows[] = {{VideoCodec::h264, Container::mpegts, "h264", "avc1."},
                         {VideoCodec::h264, Container::mp4, "h264", "avc1."},
                         {VideoCodec::hevc, Container::mpegts, "hevc", "hvc1.1.6.L"},
                         {VideoCodec::hevc, Container::mp4, "hevc", "hvc1.1.6.L"},
                         {VideoCodec::vp9, Container::mp4, "vp9", "vp09.00."},
                         {VideoCodec::av1, Container::mp4, "av1", "av01.0."}};

RenditionSpec spec_of(const Row& row, Size size = {128, 72}) {
    RenditionSpec spec = test::rendition("out", size);
    spec.codec = row.codec;
    spec.container = row.container;
    spec.preset = "ultrafast";
    spec.quality = 40;
    spec.bitrate = 300'000;
    return spec;
}

std::vector<std::uint8_t> segment(double seconds, double start) {
    return test::clip({.seconds = seconds, .size = {128, 72}, .start = start, .audio = false});
}

std::vector<std::size_t> places_of_keys(const std::vector<std::uint8_t>& file) {
    auto packets = test::probe_packets(file, "v:0");
    std::ranges::sort(packets, {}, &test::ProbedPacket::pts);
    std::vector<std::size_t> keys;
    for (std::size_t i = 0; i < packets.size(); ++i)
        if (packets[i].key)
            keys.push_back(i);
    return keys;
}

}  // namespace

TEST_CASE("each codec in each container: alone and joined, keys on the grid", "[encoders]") {
    for (const Row& row : kRows) {
        INFO(row.name << " in " << to_string(row.container));
        TranscodeRequest request;
        request.ladder = {spec_of(row)};
        request.ladder[0].gop_ms = 200;
        std::vector<std::vector<std::uint8_t>> pieces;
        std::vector<Sha256> sets;
        for (const double start : {10.0, 10.4}) {
            const auto out = test::transcoded(segment(0.4, start), request);
            INFO((out.report ? "" : out.report.error().message));
            REQUIRE(out.report);
            const auto& file = out.files.at("out");
            CHECK(out.of("out").frames == 10);
            CHECK(test::decoded_frames(file) == 10);
            CHECK(out.of("out").codecs.starts_with(row.string));
            CHECK(test::probe_entry(file, "v:0", "codec_name") == row.name);
            CHECK(places_of_keys(file) == std::vector<std::size_t>{0, 5});
            pieces.push_back(pieces.empty() ? file : test::fragment(out, "out"));
            sets.push_back(out.of("out").parameter_sets);
        }
        CHECK(sets[0] == sets[1]);
        const auto whole = test::joined(pieces);
        CHECK(test::decoded_frames(whole) == 20);
        const auto times = test::probe_times(whole, "v:0");
        REQUIRE(times.size() == 20);
        for (std::size_t i = 0; i < times.size(); ++i)
            CHECK(times[i] == 900'000 + 3600 * static_cast<std::int64_t>(i));
    }
}

TEST_CASE("intra means every picture, for each codec", "[encoders]") {
    for (const Row& row : kRows) {
        INFO(row.name);
        TranscodeRequest request;
        request.ladder = {spec_of(row)};
        request.ladder[0].gop_ms = kGopIntra;
        const auto out = test::transcoded(segment(0.2, 10), request);
        REQUIRE(out.report);
        CHECK(places_of_keys(out.files.at("out")).size() == 5);
        CHECK(out.of("out").codecs.starts_with(row.string));
    }
}

TEST_CASE("a scene that changes makes no key frame beside the grid", "[encoders]") {
    const auto source = test::clip({.seconds = 1.0,
                                    .size = {128, 72},
                                    .audio = false,
                                    .filter = "\"negate=enable='between(t,0.3,0.6)'\""});
    for (const Row& row : kRows) {
        INFO(row.name);
        TranscodeRequest request;
        request.ladder = {spec_of(row)};
        request.ladder[0].quality = 0;  // constant bitrate
        const auto out = test::transcoded(source, request);
        REQUIRE(out.report);
        CHECK(places_of_keys(out.files.at("out")) == std::vector<std::size_t>{0});
    }
}

TEST_CASE("depth and chroma come out as asked, for each codec", "[encoders]") {
    const std::pair<ChromaFormat, const char*> kChromas[] = {{ChromaFormat::yuv420, "yuv420p"},
                                                             {ChromaFormat::yuv422, "yuv422p"},
                                                             {ChromaFormat::yuv444, "yuv444p"}};
    for (const Row& row : kRows) {
        if (row.container == Container::mpegts)
            continue;
        TranscodeRequest request;
        for (const auto& [chroma, name] : kChromas)
            for (const int depth : {8, 10}) {
                request.ladder.push_back(spec_of(row));
                request.ladder.back().name = std::string(name) + (depth == 10 ? "10le" : "");
                request.ladder.back().chroma = chroma;
                request.ladder.back().color_depth = depth;
            }
        const auto out = test::transcoded(segment(0.08, 10), request);
        INFO(row.name << (out.report ? "" : out.report.error().message));
        REQUIRE(out.report);
        for (const RenditionReport& done : out.report->renditions) {
            INFO(done.name);
            const auto& file = out.files.at(done.name);
            CHECK(test::probe_entry(file, "v:0", "pix_fmt") == done.name);
            CHECK(test::decoded_frames(file) == 2);
        }
    }
}

TEST_CASE("the same pictures give the same bytes, for each codec", "[encoders]") {
    for (const Row& row : kRows) {
        INFO(row.name);
        TranscodeRequest request;
        request.ladder = {spec_of(row)};
        const auto source = segment(0.2, 10);
        CHECK(test::transcoded(source, request).files.at("out") ==
              test::transcoded(source, request).files.at("out"));
    }
}

TEST_CASE("a bitrate is kept, a quality has it as its ceiling", "[encoders]") {
    const auto source = test::clip(
        {.seconds = 2.0, .size = {160, 90}, .audio = false, .filter = "noise=alls=12:allf=t"});
    for (const Row& row : kRows) {
        INFO(row.name);
        TranscodeRequest request;
        request.ladder = {spec_of(row, {160, 90}), spec_of(row, {160, 90})};
        request.ladder[0].quality = 0;
        request.ladder[1].name = "capped";
        request.ladder[1].quality = 10;
        const auto out = test::transcoded(source, request);
        REQUIRE(out.report);
        const double asked = 300'000.0 * 2 / 8;  // bytes
        CHECK(static_cast<double>(out.files.at("out").size()) > asked * 0.6);
        CHECK(static_cast<double>(out.files.at("out").size()) < asked * 1.6);
        CHECK(static_cast<double>(out.files.at("capped").size()) < asked * 2.2);
    }
}

TEST_CASE("every preset opens every encoder", "[encoders]") {
    const auto source = segment(0.04, 10);
    for (const Row& row : kRows) {
        if (row.container == Container::mpegts)
            continue;
        TranscodeRequest request;
        for (const char* preset :
             {"ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"}) {
            request.ladder.push_back(spec_of(row, {64, 36}));
            request.ladder.back().name = request.ladder.back().preset = preset;
        }
        INFO(row.name);
        const auto out = test::transcoded(source, request);
        INFO((out.report ? "" : out.report.error().message));
        CHECK(out.report);
    }
}

TEST_CASE("a preset may be named as NVENC does", "[encoders]") {
    const auto source = test::clip({.audio = false});
    RenditionSpec spec = test::quick("small", {96, 54});
    const auto ours = test::transcoded(source, {.ladder = {spec}});
    spec.preset = "p1";
    const auto theirs = test::transcoded(source, {.ladder = {spec}});
    REQUIRE(theirs.report);
    CHECK(theirs.files == ours.files);
}

}  // namespace millrace::media
