// Encoded sound where segments join, each made by a pipeline of its own that was given nothing but
// the seam context: against one encoder over all of it, and against what went in.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "tests/unit/media/transcoded.h"

namespace millrace::media {
namespace {

constexpr double kRate = 48'000;
// What a cold start spoils of a rendition lies right before the join, and a little behind it.
constexpr double kBefore = 0.065;  // s
constexpr double kAfter = 0.015;

struct Row {
    const char* name;
    AudioCodec codec;
    Container container;
    std::int64_t step;  // between packets, in the container's clock
    double tick;        // of that clock, s
};
constexpr Row kRows[] = {{"aac_ts", AudioCodec::aac, Container::mpegts, 1920, 1.0 / 90'000},
                         {"aac_mp4", AudioCodec::aac, Container::mp4, 1024, 1.0 / 48'000},
                         {"opus_mp4", AudioCodec::opus, Container::mp4, 960, 1.0 / 48'000}};

TranscodeRequest all_rows() {
    TranscodeRequest request;
    request.allow_audio_only = true;
    for (const Row& row : kRows) {
        request.ladder.push_back(test::quick(row.name, {64, 36}));
        request.ladder.back().container = row.container;
        request.ladder.back().audio = {AudioMode::encode, row.codec, 96'000};
    }
    return request;
}

using Files = std::map<std::string, std::vector<std::uint8_t>>;

// As a player would join them. `primed`: each pipeline gets what the one before has left.
Files made_apart(const std::vector<std::vector<std::uint8_t>>& pieces, bool primed) {
    TranscodeRequest request = all_rows();
    Files whole;
    for (const auto& piece : pieces) {
        const auto out = test::transcoded(piece, request);
        INFO((out.report ? "" : out.report.error().message));
        REQUIRE(out.report);
        if (primed)
            request.seam = out.report->seam;
        for (const Row& row : kRows) {
            auto& file = whole[row.name];
            const auto more = file.empty() ? out.files.at(row.name) : test::fragment(out, row.name);
            file.insert(file.end(), more.begin(), more.end());
        }
    }
    return whole;
}

// Of two pieces of sound, 1 = the same but for loudness; none where hardly anything is to be heard.
std::optional<double> likeness(std::span<const float> a, std::span<const float> b) {
    double aa = 0;
    double ab = 0;
    double bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        aa += double{a[i]} * a[i];
        ab += double{a[i]} * b[i];
        bb += double{b[i]} * b[i];
    }
    constexpr double kQuiet = 1e-4;  // mean square: -40 dB
    if (bb / static_cast<double>(b.size()) < kQuiet)
        return std::nullopt;
    return ab / std::sqrt(std::max(aa, 1e-12) * bb);
}

// Decoded, with its place on the source's clock.
struct Sound {
    double start = 0;  // s
    std::vector<float> samples;

    [[nodiscard]] std::int64_t at(double time) const {
        return std::llround((time - start) * kRate);
    }
    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(samples.size()); }
    [[nodiscard]] std::span<const float> piece(std::int64_t from, std::int64_t count) const {
        return std::span(samples).subspan(static_cast<std::size_t>(from),
                                          static_cast<std::size_t>(count));
    }
};

Sound heard(const std::vector<std::uint8_t>& file, double tick) {
    return {static_cast<double>(test::probe_times(file, "a:0").front()) * tick,
            test::decoded_sound(file)};
}

struct Joins {
    int heard = 0;
    double least = 1;  // likeness
    double mean = 0;
};

// `at`: joins on the source's clock, s.
Joins compare(const Sound& joined, const Sound& continuous, const std::vector<double>& at) {
    Joins joins;
    const auto count = static_cast<std::int64_t>((kBefore + kAfter) * kRate);
    for (const double join : at) {
        const std::int64_t here = joined.at(join - kBefore);
        const std::int64_t there = continuous.at(join - kBefore);
        if (here < 0 || there < 0 || here + count > joined.size() ||
            there + count > continuous.size())
            continue;
        const auto like = likeness(joined.piece(here, count), continuous.piece(there, count));
        if (!like)
            continue;
        ++joins.heard;
        joins.least = std::min(joins.least, *like);
        joins.mean += *like;
    }
    joins.mean /= std::max(1, joins.heard);
    return joins;
}

// The quietest 5 ms of `sound` where `source` is to be heard, as a part of the loudness there. The
// pauses of speech are no holes, and where the source is loud one encoder is no measure: it has its
// own weak moments.
double deepest_hole(const Sound& sound, const Sound& source) {
    constexpr std::int64_t kWindow = 240;
    constexpr std::int64_t kEdge = 4800;  // a stream begins cold and ends without a successor
    constexpr double kLoud = 0.02;
    const auto loudness = [](std::span<const float> of) {
        double sum = 0;
        for (const float sample : of)
            sum += double{sample} * sample;
        return std::sqrt(sum / kWindow);
    };
    double least = 1;
    for (std::int64_t at = kEdge; at + kWindow + kEdge < sound.size(); at += kWindow / 4) {
        const auto there = source.at(sound.start + static_cast<double>(at) / kRate);
        if (there < 0 || there + kWindow > source.size())
            continue;
        if (const double wanted = loudness(source.piece(there, kWindow)); wanted > kLoud)
            least = std::min(least, loudness(sound.piece(at, kWindow)) / wanted);
    }
    return least;
}

std::vector<double> joins_of(const std::vector<std::vector<std::uint8_t>>& pieces) {
    std::vector<double> starts;
    for (std::size_t n = 1; n < pieces.size(); ++n)
        starts.push_back(static_cast<double>(test::probe_times(pieces[n], "a:0").front()) / 90'000);
    return starts;
}

constexpr const char* kSpeech =
    "flite=voice=slt:text='A mill race is the channel that brings the stream to the mill. "
    "The water that drives the wheel comes from the river above the weir. Whoever stands "
    "beside it hears no seam in the sound, because there is none in the water. Every "
    "segment of this sentence was made by another machine, and nobody who listens to it "
    "should be able to say where one of them ended and where the next one began to "
    "speak. One, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve.',"
    "aresample=48000,aloop=loop=-1:size=1000000";

}  // namespace

TEST_CASE("a hundred primed joins of tone and of speech sound like one encoder's", "[audio]") {
    struct Source {
        const char* what;
        test::ClipSpec clip;
        double least;  // likeness at the worst join
    };
    // Without pictures ffmpeg cuts the first second at every packet: shorter than any lead.
    const Source sources[] = {
        {"tone",
         {.seconds = 24.3,
          .size = {64, 36},
          .encode = "-c:v libx264 -preset ultrafast -bf 0 -g 6 -sc_threshold 0 -c:a aac"},
         0.99},
        {"speech",
         {.seconds = 24.3, .video = false, .encode = "-c:a aac -b:a 128k", .sound = kSpeech},
         0.9}};
    for (const Source& source : sources) {
        const auto pieces = test::segments(source.clip, 0.24);
        REQUIRE(pieces.size() > 100);
        const auto all = test::joined(pieces);
        const Files joined = made_apart(pieces, true);
        const Files cold = made_apart({pieces.begin() + 48, pieces.begin() + 72}, false);
        const Files once = made_apart({all}, false);
        const Sound original = heard(all, 1.0 / 90'000);
        const std::vector<double> at = joins_of(pieces);
        for (const Row& row : kRows) {
            INFO(source.what << " " << row.name);
            const auto times = test::probe_times(joined.at(row.name), "a:0");
            REQUIRE(times.size() > 1000);
            CHECK(times == test::probe_times(once.at(row.name), "a:0"));
            for (std::size_t i = 1; i < times.size(); ++i)
                CHECK(times[i] - times[i - 1] == row.step);
            const Sound continuous = heard(once.at(row.name), row.tick);
            const Sound sound = heard(joined.at(row.name), row.tick);
            const Joins ours = compare(sound, continuous, at);
            const Joins naive = compare(heard(cold.at(row.name), row.tick), continuous, at);
            const double hole = deepest_hole(sound, original);
            std::printf(
                "%-6s %-8s %3d joins: primed %.4f (mean %.4f), cold %.4f (mean %.4f), "
                "quietest 5 ms %.2f of the source's (one encoder: %.2f)\n",
                source.what, row.name, ours.heard, ours.least, ours.mean, naive.least, naive.mean,
                hole, deepest_hole(continuous, original));
            CHECK(ours.heard > 90);
            CHECK(naive.heard > 10);
            CHECK(ours.least > source.least);
            CHECK(naive.least < ours.least);
            CHECK(hole > 0.5);
        }
    }
}

}  // namespace millrace::media
