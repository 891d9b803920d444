// Segments made apart, by pipelines that share nothing but the seam context, and joined as a player
// would: times go on, copied sound is whole, and headers stay what they were.

#include <cmath>
#include <map>
#include <set>

#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "tests/unit/media/transcoded.h"
#include "transcoder/media/grid.h"

namespace millrace::media {
namespace {

struct Making {
    const char* name;
    VideoCodec codec;
    Container container;
};
constexpr Making kMakings[] = {{"h264_ts", VideoCodec::h264, Container::mpegts},
                               {"hevc_ts", VideoCodec::hevc, Container::mpegts},
                               {"h264_mp4", VideoCodec::h264, Container::mp4},
                               {"hevc_mp4", VideoCodec::hevc, Container::mp4}};

// With B-frames, which is where decoding and showing part.
TranscodeRequest all_makings() {
    TranscodeRequest request;
    request.allow_audio_only = true;
    for (const Making& making : kMakings) {
        request.ladder.push_back(test::quick(making.name, {64, 36}));
        request.ladder.back().preset = "superfast";
        request.ladder.back().codec = making.codec;
        request.ladder.back().container = making.container;
    }
    return request;
}

struct Joined {
    std::map<std::string, std::vector<std::uint8_t>> files;
    std::map<std::string, std::set<Sha256>> headers;
};

Joined made_apart(const std::vector<std::vector<std::uint8_t>>& pieces, bool with_seam) {
    TranscodeRequest request = all_makings();
    Joined joined;
    for (const auto& piece : pieces) {
        const auto out = test::transcoded(piece, request);
        INFO((out.report ? "" : out.report.error().message));
        REQUIRE(out.report);
        if (with_seam)
            request.seam = out.report->seam;
        for (const Making& making : kMakings) {
            auto& file = joined.files[making.name];
            const auto more =
                file.empty() ? out.files.at(making.name) : test::fragment(out, making.name);
            file.insert(file.end(), more.begin(), more.end());
            joined.headers[making.name].insert(out.of(making.name).parameter_sets);
        }
    }
    return joined;
}

// Cut at these places, in seconds.
std::vector<std::vector<std::uint8_t>> cut(test::ClipSpec spec, const std::string& at) {
    spec.encode =
        "-c:v libx264 -preset ultrafast -bf 2 -g 1000 -force_key_frames " + at + " " + spec.encode;
    return test::segments(spec, 0.01);
}

}  // namespace

TEST_CASE("times go on across joins, in both containers", "[joins]") {
    const auto pieces =
        cut({.seconds = 3.0, .size = {64, 36}, .fps = "30000/1001", .encode = "-c:a aac -ar 44100"},
            "0.5,0.9,1.7,2.0,2.9");
    REQUIRE(pieces.size() == 6);
    const auto source = test::joined(pieces);
    const auto pictures = test::probe_times(source, "v:0");
    const auto sound = test::probe_times(source, "a:0");
    const Joined joined = made_apart(pieces, true);
    for (const Making& making : kMakings) {
        INFO(making.name);
        const auto& whole = joined.files.at(making.name);
        CHECK(test::decoded_frames(whole) == static_cast<std::int64_t>(pictures.size()));
        CHECK(test::probe_times(whole, "v:0") == pictures);
        const auto packets = test::probe_packets(whole, "v:0");
        for (std::size_t i = 1; i < packets.size(); ++i) {
            CHECK(std::abs(packets[i].dts - packets[i - 1].dts - 3003) <= 1);
            CHECK(packets[i].dts <= packets[i].pts);
        }
    }
    SECTION("and copied sound has every packet of the source once, at its time") {
        for (const Making& making : kMakings) {
            INFO(making.name);
            const bool mp4 = making.container == Container::mp4;
            const double tick = mp4 ? 90'000.0 / 44'100 : 1.0;  // of the container's clock
            const auto times = test::probe_times(joined.files.at(making.name), "a:0");
            REQUIRE(times.size() == sound.size());
            for (std::size_t i = 0; i < times.size(); ++i)
                CHECK(std::abs(static_cast<double>(times[i]) * tick -
                               static_cast<double>(sound[i])) <= (mp4 ? 2 * tick : 0.0));
            for (std::size_t i = 1; i < times.size(); ++i)
                CHECK(std::abs(static_cast<double>(times[i] - times[i - 1]) * tick -
                               1024 * 90'000.0 / 44'100) <= 2 * tick);
        }
    }
}

TEST_CASE("headers are the first segment's, however oddly a stream is cut", "[joins]") {
    const std::string odd = "0.5,0.6,1.7,2.05,2.1,2.97";  // the last has one picture
    const auto pieces =
        cut({.seconds = 3.0, .size = {64, 36}, .fps = "30000/1001", .encode = "-c:a aac"}, odd);
    REQUIRE(pieces.size() == 7);
    for (const bool with_seam : {true, false})
        for (const auto& [name, headers] : made_apart(pieces, with_seam).headers) {
            INFO(name << (with_seam ? " with" : " without") << " seam context");
            CHECK(headers.size() == 1);
        }
}

TEST_CASE("headers are the first segment's when pictures come at uneven times", "[joins]") {
    // As phones do: never quite on time, and a third of the pictures for a while.
    const auto pieces = cut({.seconds = 4.0,
                             .size = {64, 36},
                             .fps = "30",
                             .encode = "-vsync passthrough -c:a aac",
                             .filter = "'settb=1/90000,select=not(between(t\\,0.9\\,2.1)*"
                                       "mod(n*7\\,3)),setpts=PTS+700*sin(N*N)'"},
                            "1,2,3");
    REQUIRE(pieces.size() == 4);
    bool differed = false;
    for (const auto& [name, headers] : made_apart(pieces, false).headers)
        differed |= headers.size() > 1;
    CHECK(differed);  // or this clip shows nothing
    const Joined joined = made_apart(pieces, true);
    for (const Making& making : kMakings) {
        INFO(making.name);
        CHECK(joined.headers.at(making.name).size() == 1);
        const auto packets = test::probe_packets(joined.files.at(making.name), "v:0");
        for (std::size_t i = 1; i < packets.size(); ++i)
            CHECK(packets[i].dts > packets[i - 1].dts);
        CHECK(test::probe_times(joined.files.at(making.name), "v:0") ==
              test::probe_times(test::joined(pieces), "v:0"));
    }
}

TEST_CASE("a pinned rate holds until the source is clearly faster", "[joins][grid]") {
    const NominalRate film{{24, 1}, true};
    const NominalRate fast{{50, 1}, true};
    const NominalRate odd{{112'500, 8567}, false};
    const NominalRate beside{{21, 2}, true};
    CHECK(pinned_rate(film, {}) == film);
    CHECK(pinned_rate(odd, film) == film);
    CHECK(pinned_rate(film, odd) == odd);
    CHECK(pinned_rate(beside, film) == film);  // no rate in common use: measured of too little
    CHECK(pinned_rate(fast, film) == fast);
    CHECK(pinned_rate(film, fast) == fast);  // pictures fall out for a while
    CHECK(pinned_rate({{25, 1}, true}, film) == film);
    for (const Rational nonsense :
         {Rational{-1, 1}, Rational{25, 0}, Rational{25, -1}, Rational{1, 1'000'000},
          Rational{2'000'000'000, 1}, Rational{2'000'000'000, 2'000'000'000}})
        CHECK(pinned_rate(film, {nonsense, true}) == film);
}

}  // namespace millrace::media
