// Fragmented MP4: init parts that are equal, fragments that follow each other.

#include <cmath>

#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "tests/unit/media/transcoded.h"
#include "transcoder/media/decoding_times.h"

namespace millrace::media {

TEST_CASE("fragments of consecutive segments follow any of their equal init parts", "[mp4]") {
    for (const Rational fps : {Rational{}, {30, 1}, {30000, 1001}}) {
        TranscodeRequest request;
        request.ladder = {test::rendition("out", {80, 46}, fps)};
        request.ladder[0].container = Container::mp4;
        std::vector<std::vector<std::uint8_t>> pieces;
        std::vector<std::uint8_t> init;
        std::int64_t frames = 0;
        double start = 10.0;
        for (const double seconds : {0.52, 1.0, 0.48}) {
            const auto out = test::transcoded(
                test::clip({.seconds = seconds, .start = start, .audio = false}), request);
            REQUIRE(out.report);
            const RenditionReport& done = out.of("out");
            const auto& file = out.files.at("out");
            REQUIRE(done.init_bytes > 0);
            CHECK(test::decoded_frames(file) == done.frames);  // plays alone
            const std::vector<std::uint8_t> head(
                file.begin(), file.begin() + static_cast<std::ptrdiff_t>(done.init_bytes));
            if (init.empty())
                pieces.push_back(init = head);
            CHECK(head == init);
            pieces.push_back(test::fragment(out, "out"));
            frames += done.frames;
            start += seconds;
        }
        const auto whole = test::joined(pieces);
        CHECK(test::decoded_frames(whole) == frames);
        auto packets = test::probe_packets(whole, "v:0");
        REQUIRE(static_cast<std::int64_t>(packets.size()) == frames);
        const double step = fps.num > 0 ? 90'000.0 / fps.value() : 3600.0;
        CHECK(std::abs(packets.front().pts - 900'000) <= step);  // the source's own time
        for (std::size_t i = 1; i < packets.size(); ++i) {
            CHECK(std::abs(static_cast<double>(packets[i].dts - packets[i - 1].dts) - step) <= 1.0);
            CHECK(packets[i].dts <= packets[i].pts);
        }
    }
}

TEST_CASE("AAC is taken out of its ADTS headers and follows to the sample", "[mp4]") {
    TranscodeRequest request;
    request.ladder = {test::rendition("out", {80, 46})};
    request.ladder[0].container = Container::mp4;
    const auto out = test::transcoded(
        test::clip({.seconds = 1.0, .encode = "-c:v libx264 -c:a aac -ar 44100"}), request);
    REQUIRE(out.report);
    CHECK(out.of("out").codecs.ends_with(",mp4a.40.2"));
    const auto& file = out.files.at("out");
    CHECK(test::probe_entry(file, "a:0", "codec_name") == "aac");
    const auto times = test::probe_times(file, "a:0");
    REQUIRE(times.size() > 40);
    for (std::size_t i = 1; i < times.size(); ++i)
        CHECK(times[i] - times[i - 1] == 1024);
}

TEST_CASE("a source that begins at zero gets decoding times that are not below", "[mp4]") {
    TranscodeRequest request;
    request.ladder = {test::rendition("out", {80, 46})};
    request.ladder[0].container = Container::mp4;
    const auto out = test::transcoded(
        test::clip({.seconds = 0.4,
                    .start = 0,
                    .audio = false,
                    .encode = "-c:v libx264 -bf 0 -movflags frag_keyframe+empty_moov",
                    .format = "mp4"}),
        request);
    REQUIRE(out.report);
    const auto times = test::probe_times(out.files.at("out"), "v:0");
    REQUIRE(times.size() == 10);
    CHECK(times.front() == 0);
    CHECK(times.back() == 9 * 3600);
}

TEST_CASE("parameter sets have one fingerprint per setting", "[mp4]") {
    TranscodeRequest request;
    request.ladder = {test::rendition("ts", {80, 46}), test::rendition("mp4", {80, 46}),
                      test::rendition("wide", {96, 46})};
    request.ladder[1].container = Container::mp4;
    const auto one = test::transcoded(test::clip({.seconds = 0.4}), request);
    const auto two = test::transcoded(test::clip({.seconds = 0.8, .start = 20}), request);
    REQUIRE(one.report);
    REQUIRE(two.report);
    for (const char* name : {"ts", "mp4", "wide"})
        CHECK(one.of(name).parameter_sets == two.of(name).parameter_sets);
    CHECK(one.of("ts").parameter_sets != one.of("wide").parameter_sets);
    CHECK(one.of("ts").parameter_sets != one.of("mp4").parameter_sets);
    CHECK(one.of("ts").parameter_sets != Sha256{});
}

TEST_CASE("decoding runs ahead by one constant and never falls below the floor", "[mp4]") {
    using Times = std::vector<Ticks>;
    // Four pictures shown at 100, 200, 300, 400; the third is decoded second.
    const Times shown{100, 200, 300, 400};
    const Times packets{100, 300, 200, 400};
    CHECK(decoding_times(shown, packets, 100, -1000) == Times{0, 100, 200, 300});
    CHECK(decoding_times(shown, packets, 100, 0) == Times{0, 100, 200, 300});
    CHECK(decoding_times(shown, packets, 100, 50) == Times{50, 100, 200, 300});
    CHECK(decoding_times(shown, packets, 100, 99) == Times{99, 100, 200, 300});
    // Uneven times: a quarter of a second, or more where that is needed.
    CHECK(decoding_times({0, 90'000}, {0, 90'000}, std::nullopt, -1) == Times{0, 90'000});
    CHECK(decoding_times({0, 10, 90'000}, {0, 90'000, 10}, std::nullopt, -100'000) ==
          Times{-89'990, -89'980, 10});
}

}  // namespace millrace::media
