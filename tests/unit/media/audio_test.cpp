// Encoded audio: on an absolute sample grid, so that segments encoded apart join to the sample.

#include <algorithm>
#include <cmath>
#include <map>

#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "tests/unit/media/transcoded.h"
#include "transcoder/media/sample_grid.h"

namespace millrace::media {
namespace {

TranscodeRequest sound_only(Container container, AudioSpec audio) {
    TranscodeRequest request;
    request.ladder = {test::rendition("out", {64, 36})};
    request.ladder[0].container = container;
    request.ladder[0].audio = audio;
    request.ladder[0].preset = "ultrafast";
    request.allow_audio_only = true;
    return request;
}

AudioSpec encoded(AudioCodec codec, std::int32_t rate = 0, std::int32_t channels = 0) {
    return {AudioMode::encode, codec, 96'000, rate, channels};
}

// Each segment by an encoder of its own, joined as a player would.
std::vector<std::uint8_t> transcoded_apart(const std::vector<std::vector<std::uint8_t>>& pieces,
                                           const TranscodeRequest& request) {
    std::vector<std::vector<std::uint8_t>> made;
    for (const auto& piece : pieces) {
        const auto out = test::transcoded(piece, request);
        INFO((out.report ? "" : out.report.error().message));
        REQUIRE(out.report);
        made.push_back(made.empty() ? out.files.at("out") : test::fragment(out, "out"));
    }
    return test::joined(made);
}

// Loudness of 5 ms, the quietest anywhere but at the ends.
double quietest(const std::vector<float>& samples) {
    constexpr std::size_t kWindow = 240;
    double least = 1e9;
    for (std::size_t at = 4800; at + 4800 < samples.size(); at += kWindow / 4) {
        double sum = 0;
        for (std::size_t i = 0; i < kWindow; ++i)
            sum += double{samples[at + i]} * samples[at + i];
        least = std::min(least, std::sqrt(sum / kWindow));
    }
    return least;
}

}  // namespace

TEST_CASE("neighbours own every frame once, however their join is rounded", "[audio]") {
    for (const SampleGrid grid : {SampleGrid{1024, 1024}, SampleGrid{960, 312}}) {
        std::int64_t next = grid.owned(0, 0).end;
        double at = 0;
        for (int i = 1; i <= 2000; ++i) {
            const double until = at + 137 * (i % 97 + 1);
            const double wobble = (i % 5 - 2) * 0.1;  // what either side makes of the timestamps
            const SampleGrid::Range range = grid.owned(at - wobble, until + wobble);
            CHECK(range.first == next);
            next = range.end;
            at = until;
        }
        CHECK(next == grid.owned(0, at).end);
        // The last sample a frame needs is inside.
        CHECK((next - 1) * grid.frame + grid.frame + grid.ahead <= at + 0.5);
    }
}

TEST_CASE("a hundred joins neither gain nor lose a sample, and have no hole", "[audio]") {
    struct Row {
        const char* name;
        AudioCodec codec;
        Container container;
        std::int64_t step;  // between packets, in the container's clock
    };
    const Row rows[] = {{"aac_ts", AudioCodec::aac, Container::mpegts, 1920},
                        {"aac_mp4", AudioCodec::aac, Container::mp4, 1024},
                        {"opus_mp4", AudioCodec::opus, Container::mp4, 960}};
    TranscodeRequest request;
    for (const Row& row : rows) {
        request.ladder.push_back(sound_only(row.container, encoded(row.codec)).ladder[0]);
        request.ladder.back().name = row.name;
    }
    const auto pieces = test::segments(
        {.seconds = 24.3,
         .size = {64, 36},
         .encode = "-c:v libx264 -preset ultrafast -bf 0 -g 6 -sc_threshold 0 -c:a aac"},
        0.24);
    REQUIRE(pieces.size() > 100);
    std::map<std::string, std::vector<std::vector<std::uint8_t>>> made;
    for (const auto& piece : pieces) {
        const auto out = test::transcoded(piece, request);
        REQUIRE(out.report);
        for (const Row& row : rows)
            made[row.name].push_back(made[row.name].empty() ? out.files.at(row.name)
                                                            : test::fragment(out, row.name));
    }
    for (const Row& row : rows) {
        INFO(row.name);
        const auto whole = test::joined(made[row.name]);
        const auto times = test::probe_times(whole, "a:0");
        REQUIRE(times.size() > 1000);
        for (std::size_t i = 1; i < times.size(); ++i)
            CHECK(times[i] - times[i - 1] == row.step);
        const auto sound = test::decoded_sound(whole);
        CHECK(quietest(sound) > 0.25 * 0.125 / std::sqrt(2.0));  // the sine's peak is 1/8
    }
}

TEST_CASE("sound stays where it was on the clock", "[audio]") {
    // Silence, then a tone from the middle of a segment on.
    const auto pieces =
        test::segments({.seconds = 2.0,
                        .size = {64, 36},
                        .encode = "-c:v libx264 -preset ultrafast -bf 0 -g 12 -c:a mp2",
                        .sound = "sine=frequency=1000:sample_rate=48000,"
                                 "volume=volume='gte(t,1.25)':eval=frame"},
                       0.48);
    const auto onset = [](const std::vector<std::uint8_t>& bytes, std::int64_t first, double tick) {
        const auto samples = test::decoded_sound(bytes);
        const auto loud =
            std::ranges::find_if(samples, [](float s) { return std::abs(s) > 0.06F; });
        return static_cast<double>(first) * tick +
               static_cast<double>(loud - samples.begin()) / 48'000;
    };
    const auto source = test::joined(pieces);
    const double expected = onset(source, test::probe_times(source, "a:0").front(), 1.0 / 90'000);
    for (const AudioCodec codec : {AudioCodec::aac, AudioCodec::opus}) {
        INFO(to_string(codec));
        const auto whole = transcoded_apart(pieces, sound_only(Container::mp4, encoded(codec)));
        const double found = onset(whole, test::probe_times(whole, "a:0").front(), 1.0 / 48'000);
        CHECK(std::abs(found - expected) < 0.004);
    }
}

TEST_CASE("codec, rate and channels are what was asked for, in both containers", "[audio]") {
    struct Row {
        AudioSpec audio;
        const char* codec;
        const char* rate;
        const char* channels;
    };
    const Row rows[] = {{encoded(AudioCodec::aac, 44'100, 1), "aac", "44100", "1"},
                        {encoded(AudioCodec::aac), "aac", "48000", "6"},
                        {encoded(AudioCodec::opus, 0, 2), "opus", "48000", "2"}};
    const auto source =
        test::clip({.seconds = 0.6, .encode = "-c:v libx264 -preset ultrafast -c:a ac3 -ac 6"});
    for (const Container container : {Container::mpegts, Container::mp4})
        for (const Row& row : rows) {
            INFO(row.codec << " in " << to_string(container));
            const auto out = test::transcoded(source, sound_only(container, row.audio));
            REQUIRE(out.report);
            const auto& file = out.files.at("out");
            CHECK(test::probe_entry(file, "a:0", "codec_name") == row.codec);
            CHECK(test::probe_entry(file, "a:0", "sample_rate") == row.rate);
            CHECK(test::probe_entry(file, "a:0", "channels") == row.channels);
            CHECK(out.of("out").codecs.find(row.codec == std::string("aac")
                                                ? ",mp4a.40.2"
                                                : ",opus") != std::string::npos);
            CHECK(test::decoded_sound(file).size() > 48'000 * 4 / 10);
        }
}

TEST_CASE("what the container cannot carry is encoded as AAC, and said", "[audio]") {
    const auto source =
        test::clip({.seconds = 0.5,
                    .start = 0,
                    .encode = "-c:v libvpx -deadline realtime -cpu-used 8 -c:a libvorbis",
                    .format = "webm"});
    for (const Container container : {Container::mpegts, Container::mp4}) {
        const auto out = test::transcoded(source, sound_only(container, {}));
        REQUIRE(out.report);
        CHECK(test::probe_entry(out.files.at("out"), "a:0", "codec_name") == "aac");
        REQUIRE(out.report->warnings.size() == 1);
        CHECK(out.report->warnings[0].ends_with("was encoded as AAC"));
    }
}

TEST_CASE("AAC that is AAC already is carried over", "[audio]") {
    const auto source = test::clip({.seconds = 0.5});
    const auto out = test::transcoded(
        source,
        sound_only(Container::mpegts, {.mode = AudioMode::encode, .codec = AudioCodec::aac}));
    REQUIRE(out.report);
    CHECK(test::probe_times(out.files.at("out"), "a:0") == test::probe_times(source, "a:0"));
}

TEST_CASE("Opus without its header cannot be carried into an MP4 and is encoded", "[audio]") {
    auto source =
        test::clip({.encode = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus",
                    .format = "webm"});
    // Its track's CodecPrivate becomes an element that nobody knows.
    const std::string head = "OpusHead";
    const auto at = std::search(source.begin(), source.end(), head.begin(), head.end());
    REQUIRE(at != source.end());
    REQUIRE(*(at - 2) == 0xa2);  // 63 A2, a size of one byte
    *(at - 2) = 0xa3;
    RenditionSpec spec = test::quick("small", {96, 54});
    spec.container = Container::mp4;
    const auto made = test::transcoded(source, {.ladder = {spec}});
    REQUIRE(made.report);
    CHECK(made.warned("cannot be carried in its container"));
    CHECK(test::probe_entry(made.files.at("small"), "a:0", "codec_name") == "aac");
    CHECK(test::decoded_frames(made.files.at("small")) > 0);
}

}  // namespace millrace::media
