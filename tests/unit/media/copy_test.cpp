// bypass "if-fits": the source's own video where it is what the spec asks for.

#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "tests/unit/media/transcoded.h"

namespace millrace::media {
namespace {

constexpr const char* kInMp4 =
    "-c:v libx264 -preset ultrafast -g 10 -bf 2 -c:a aac -movflags frag_keyframe+empty_moov";

TranscodeRequest asking(Container container) {
    TranscodeRequest request;
    request.ladder = {test::rendition("out", {160, 90})};
    request.ladder[0].container = container;
    request.ladder[0].bitrate = 2'000'000;
    request.ladder[0].bypass = Bypass::if_fits;
    return request;
}

}  // namespace

TEST_CASE("a source that fits is copied, from and to both containers", "[copy]") {
    const auto ts = test::clip({.seconds = 1.0});
    const auto mp4 = test::clip({.seconds = 1.0, .start = 0, .encode = kInMp4, .format = "mp4"});
    for (const auto* source : {&ts, &mp4})
        for (const Container container : {Container::mpegts, Container::mp4}) {
            INFO((source == &ts ? "TS" : "MP4") << " to " << to_string(container));
            const auto out = test::transcoded(*source, asking(container));
            INFO((out.report ? "" : out.report.error().message));
            REQUIRE(out.report);
            const RenditionReport& done = out.of("out");
            CHECK(done.copied);
            CHECK(done.frames == 25);
            CHECK(done.pixels == 0);
            CHECK(done.size == Size{160, 90});
            CHECK(done.codecs.starts_with("avc1."));
            CHECK(done.parameter_sets != Sha256{});
            const auto& file = out.files.at("out");
            CHECK(test::decoded_frames(file) == 25);
            if (source == &ts)
                CHECK(test::probe_times(file, "v:0") == test::probe_times(ts, "v:0"));
        }
}

TEST_CASE("copied fragments of consecutive segments follow each other", "[copy]") {
    std::vector<std::vector<std::uint8_t>> made;
    for (const auto& piece :
         test::segments({.seconds = 2.0,
         .audio = false,
         .encode = "-c:v libx264 -preset ultrafast -bf 2 -g 12 -sc_threshold 0"},
                        0.48)) {
        const auto out = test::transcoded(piece, asking(Container::mp4));
        REQUIRE(out.report);
        REQUIRE(out.of("out").copied);
        made.push_back(made.empty() ? out.files.at("out") : test::fragment(out, "out"));
    }
    REQUIRE(made.size() > 3);
    const auto whole = test::joined(made);
    CHECK(test::decoded_frames(whole) == 50);
    const auto packets = test::probe_packets(whole, "v:0");
    for (std::size_t i = 1; i < packets.size(); ++i)
        CHECK(packets[i].dts - packets[i - 1].dts == 3600);
}

TEST_CASE("a source that does not fit is encoded", "[copy]") {
    const auto source = test::clip({.seconds = 1.0});
    const auto expect_encoded = [&](const char* why, auto change) {
        INFO(why);
        TranscodeRequest request = asking(Container::mpegts);
        change(request.ladder[0]);
        const auto out = test::transcoded(source, request);
        REQUIRE(out.report);
        const RenditionReport& done = out.of("out");
        CHECK_FALSE(done.copied);
        CHECK(done.frames > 0);
        CHECK(done.pixels == done.frames * done.size.pixels());
        CHECK(test::decoded_frames(out.files.at("out")) == done.frames);
        CHECK(out.report->source.frames == 25);
    };
    // Told by headers, before the first picture is shown.
    expect_encoded("size", [](RenditionSpec& spec) { spec.width = 80; });
    expect_encoded("codec", [](RenditionSpec& spec) { spec.codec = VideoCodec::hevc; });
    expect_encoded("rate", [](RenditionSpec& spec) { spec.fps = {30, 1}; });
    expect_encoded("depth", [](RenditionSpec& spec) { spec.color_depth = 10; });
    expect_encoded("profile", [](RenditionSpec& spec) { spec.profile = VideoProfile::baseline; });
    // Known at the end only: decoded once more.
    expect_encoded("bitrate", [](RenditionSpec& spec) { spec.bitrate = 20'000; });
    expect_encoded("key frames", [](RenditionSpec& spec) { spec.gop_ms = 200; });
    expect_encoded("not allowed", [](RenditionSpec& spec) { spec.bypass = Bypass::never; });
}

TEST_CASE("a segment that starts with an open GOP is not copied", "[copy]") {
    const auto source = test::clip(
        {.seconds = 1.0,
         .audio = false,
         .encode = "-c:v libx264 -preset veryfast -g 12 -bf 2 -x264-params open-gop=1:bframes=2 "
                   "-bsf:v noise=drop='lt(n\\,12)'"});
    const auto out = test::transcoded(source, asking(Container::mpegts));
    if (out.report)
        CHECK_FALSE(out.of("out").copied);
    else
        CHECK(out.report.error().kind == ErrorKind::bad_input);
}

}  // namespace millrace::media
