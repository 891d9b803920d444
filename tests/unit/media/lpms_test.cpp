// What LPMS's tests demand of a transcoder and nobody else here asks for in the same words; the list of all of
// them is tests/integration/test_lpms.py.

#include <algorithm>

#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "tests/unit/media/transcoded.h"

namespace millrace::media {
namespace {

using Bytes = std::vector<std::uint8_t>;
using test::quick;
using test::Transcoded;

Transcoded run(const Bytes& source, Ladder ladder = {quick("out", {80, 46})}) {
    TranscodeRequest request;
    request.ladder = std::move(ladder);
    return Transcoded(source, request);
}

Bytes made(const std::string& pictures, const std::string& after) {
    return test::made_by(
        "-f lavfi -i testsrc2=" + pictures + " " + after +
        " -c:v libx264 -preset ultrafast -pix_fmt yuv420p -muxdelay 0 -f mpegts pipe:1");
}

}  // namespace

TEST_CASE("segments of one to ten frames give all of them, at any rate", "[media][lpms]") {
    for (int frames = 1; frames <= 10; ++frames) {
        INFO(frames);
        const Bytes source = test::clip({.seconds = frames / 25.0 - 0.01, .start = 10.0});
        const Transcoded out =
            run(source, {quick("same", {80, 46}), quick("twice", {80, 46}, {50, 1})});
        REQUIRE(out.report);
        CHECK(out.report->source.frames == frames);
        CHECK(out.of("same").frames == frames);
        CHECK(out.of("twice").frames == 2 * frames);
        CHECK(test::decoded_frames(out.files.at("same")) == frames);
        CHECK(test::decoded_frames(out.files.at("twice")) == 2 * frames);
    }
}

TEST_CASE("fractional rates come in and go out exactly, and stand in the header", "[media][lpms]") {
    for (const char* rate : {"24000/1001", "30000/1001", "60000/1001"}) {
        INFO("from " << rate);
        const Bytes source = test::clip({.seconds = 1.001, .fps = rate, .audio = false});
        const Transcoded out =
            run(source,
                {quick("same", {80, 46}), quick("film", {80, 46}, {24000, 1001}),
                 quick("ntsc", {80, 46}, {30000, 1001}), quick("fast", {80, 46}, {60000, 1001})});
        REQUIRE(out.report);
        CHECK(test::probe_times(out.files.at("same"), "v:0") == test::probe_times(source, "v:0"));
        const std::tuple<const char*, const char*, int> rows[] = {
            {"film", "24000/1001", 24}, {"ntsc", "30000/1001", 30}, {"fast", "60000/1001", 60}};
        for (const auto& [name, header, frames] : rows) {
            INFO("to " << header);
            CHECK(std::abs(out.of(name).frames - frames) <= 1);
            CHECK(test::decoded_frames(out.files.at(name)) == out.of(name).frames);
            CHECK(test::probe_entry(out.files.at(name), "v:0", "r_frame_rate") == header);
        }
    }
}

TEST_CASE("pictures missing in the middle leave a gap, and no other is lost", "[media][lpms]") {
    const Bytes source =
        made("size=160x90:rate=25", "-t 1 -vf select='not(between(n\\,5\\,14))' -vsync vfr");
    const Transcoded out = run(source, {quick("same", {80, 46}), quick("p25", {80, 46}, {25, 1})});
    REQUIRE(out.report);
    CHECK(out.report->source.frames == 15);
    CHECK(test::probe_times(out.files.at("same"), "v:0") == test::probe_times(source, "v:0"));
    CHECK(std::abs(out.of("p25").frames - 25) <= 1);  // the last one before is held
}

TEST_CASE("segments of two clocks in turn, and overlapping ones, keep their own times",
          "[media][lpms]") {
    for (const double start : {10.0, 5000.0, 10.4, 5000.4, 10.6}) {
        INFO(start);
        const Bytes source = test::clip({.seconds = 0.4, .start = start});
        const Transcoded out = run(source);
        REQUIRE(out.report);
        CHECK(out.report->warnings.empty());
        CHECK(test::probe_times(out.files.at("out"), "v:0") == test::probe_times(source, "v:0"));
        CHECK(test::probe_times(out.files.at("out"), "a:0") == test::probe_times(source, "a:0"));
    }
}

TEST_CASE("sound that steps back in mid-segment is heard once, and the pictures all come",
          "[media][lpms]") {
    const Bytes source =
        test::joined({test::clip({.seconds = 0.4, .start = 10.0}),
                      test::clip({.seconds = 0.4, .start = 10.4, .audio = false}),
                      test::clip({.seconds = 0.2, .start = 10.3, .video = false})});
    const Transcoded out = run(source);
    INFO((out.report ? std::string() : out.report.error().message));
    REQUIRE(out.report);
    CHECK(out.report->source.frames == 20);
    CHECK(test::decoded_frames(out.files.at("out")) == 20);
    const auto packets = test::probe_packets(out.files.at("out"), "a:0");
    CHECK(packets.size() >= 20);
    CHECK(std::ranges::is_sorted(packets, std::less_equal<>(), &test::ProbedPacket::dts));
}

TEST_CASE("portrait takes the larger side of the box for its height", "[media][lpms]") {
    const Bytes source = made("size=180x320:rate=25", "-t 0.2");
    const Transcoded out = run(source, {quick("box", {160, 90}), quick("tall", {90, 160})});
    REQUIRE(out.report);
    CHECK(out.of("box").size == Size{90, 160});
    CHECK(out.of("tall").size == Size{90, 160});
}

TEST_CASE("few pictures far apart never become more than a segment may have", "[media][lpms]") {
    const Bytes source = made("size=160x90:rate=1", "-t 4");
    TranscodeRequest request;
    request.ladder = {quick("out", {80, 46}, {60, 1})};
    request.limits.frames = 100;
    const Transcoded out(source, request);
    REQUIRE_FALSE(out.report);
    CHECK(out.report.error().kind == ErrorKind::bad_input);
    CHECK(out.report.error().message.find("would have more than 100 frames") != std::string::npos);
}

TEST_CASE("a picture stream of megabytes without a picture is refused", "[media][lpms]") {
    // The tables of a real stream, and packets of its PID that hold no picture.
    Bytes source = test::clip({.seconds = 0.04, .audio = false});
    source.resize(3 * 188);
    Bytes packet(188, 0xa5);
    const std::uint8_t head[] = {0x47, 0x01, 0x00, 0x10};
    for (std::size_t n = 0; n < 16 * 1024 * 1024 / packet.size(); ++n) {
        std::ranges::copy(head, packet.begin());
        packet[3] = static_cast<std::uint8_t>(0x10 | (n & 0x0f));
        source.insert(source.end(), packet.begin(), packet.end());
    }
    const Transcoded out = run(source);
    REQUIRE_FALSE(out.report);
    CHECK(out.report.error().kind == ErrorKind::bad_input);
}

TEST_CASE("a codec that is none of ours is named", "[media][lpms]") {
    const Bytes source = test::made_by(
        "-f lavfi -i testsrc2=size=160x90:rate=25 -t 0.2 -c:v mpeg4 -pix_fmt yuv420p -f mpegts "
        "pipe:1");
    const Transcoded out = run(source);
    REQUIRE_FALSE(out.report);
    CHECK(out.report.error().kind == ErrorKind::bad_input);
    INFO(out.report.error().message);
    CHECK(out.report.error().message.find("PID 256") != std::string::npos);
}

}  // namespace millrace::media
