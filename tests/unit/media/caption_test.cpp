#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "tests/unit/media/transcoded.h"
#include "transcoder/media/caption_queue.h"

namespace millrace::media {
namespace {

using Bytes = std::vector<std::uint8_t>;

// Pair `n` of a type, valid; neither byte is ever zero.
Bytes pair_of(std::uint8_t type, unsigned n) {
    return {static_cast<std::uint8_t>(0xfc | type), static_cast<std::uint8_t>(0x40 | (n & 0x3f)),
            static_cast<std::uint8_t>(0x40 | (n >> 6 & 0x3f))};
}

Bytes of_type(const Bytes& cc_data, int first, int last) {
    Bytes out;
    for (std::size_t i = 0; i + 3 <= cc_data.size(); i += 3)
        if ((cc_data[i] & 4) != 0 && (cc_data[i] & 3) >= first && (cc_data[i] & 3) <= last)
            out.insert(out.end(), cc_data.begin() + static_cast<std::ptrdiff_t>(i),
                       cc_data.begin() + static_cast<std::ptrdiff_t>(i + 3));
    return out;
}

// One field-1 pair and `packets` CEA-708 pairs for each picture of a source at 60 fps.
std::vector<Bytes> source_captions(int pictures, int packets) {
    std::vector<Bytes> all;
    for (unsigned n = 0; n < static_cast<unsigned>(pictures); ++n) {
        Bytes one = pair_of(static_cast<std::uint8_t>(n % 2), n);
        for (unsigned k = 0; k < static_cast<unsigned>(packets); ++k) {
            const Bytes more = pair_of(k == 0 ? 3 : 2, n * 8 + k);
            one.insert(one.end(), more.begin(), more.end());
        }
        all.push_back(one);
    }
    return all;
}

// A SEI message with captions as H.264 carries it (ATSC A/53 part 4, 6.2.3).
Bytes sei(const Bytes& cc_data) {
    Bytes nal{0,
              0,
              0,
              1,
              6,
              4,
              static_cast<std::uint8_t>(cc_data.size() + 11),
              0xb5,
              0x00,
              0x31,
              'G',
              'A',
              '9',
              '4',
              0x03,
              static_cast<std::uint8_t>(0xc0 | cc_data.size() / 3),
              0xff};
    nal.insert(nal.end(), cc_data.begin(), cc_data.end());
    nal.insert(nal.end(), {0xff, 0x80});
    return nal;
}

// Access units of an Annex B stream, which all begin with a delimiter.
std::vector<Bytes> access_units(const Bytes& stream, bool hevc) {
    std::vector<Bytes> units;
    for (std::size_t at = 0; at < stream.size(); ++at) {
        const bool start =
            at + 4 < stream.size() && stream[at] == 0 && stream[at + 1] == 0 && stream[at + 2] == 1;
        const unsigned head = start ? stream[at + 3] : 0U;
        const unsigned type = hevc ? head >> 1 & 0x3f : head & 0x1f;
        if (start && type == (hevc ? 35 : 9))
            units.emplace_back();
        if (!units.empty())
            units.back().push_back(stream[at]);
    }
    return units;
}

// cc_data of an access unit, by its bytes alone.
Bytes captions_in(const Bytes& unit) {
    Bytes plain;
    int zeros = 0;
    for (const std::uint8_t byte : unit) {
        if (zeros >= 2 && byte == 3) {
            zeros = 0;
            continue;
        }
        zeros = byte == 0 ? zeros + 1 : 0;
        plain.push_back(byte);
    }
    const Bytes name{0xb5, 0x00, 0x31, 'G', 'A', '9', '4', 0x03};
    const auto at = std::search(plain.begin(), plain.end(), name.begin(), name.end());
    if (plain.end() - at < 10)
        return {};
    const auto count = static_cast<std::ptrdiff_t>(at[8] & 0x1f);
    return {at + 10, at + 10 + count * 3};
}

// Runs ffmpeg over bytes.
Bytes through_ffmpeg(const Bytes& bytes, const std::string& before, const std::string& after) {
    const auto path = std::filesystem::temp_directory_path() / "millrace-captions.bin";
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    Bytes out = test::made_by(before + " -i " + path.string() + " " + after);
    std::filesystem::remove(path);
    return out;
}

// cc_data of each picture in the order of showing.
std::vector<Bytes> shown_captions(const Bytes& file, bool hevc) {
    const auto units = access_units(
        through_ffmpeg(file, "",
                       std::string("-map 0:v -c copy -f ") + (hevc ? "hevc" : "h264") + " pipe:1"),
        hevc);
    const auto packets = test::probe_packets(file, "v:0");
    REQUIRE(units.size() == packets.size());
    std::vector<std::pair<std::int64_t, Bytes>> all;
    for (std::size_t i = 0; i < units.size(); ++i)
        all.emplace_back(packets[i].pts, captions_in(units[i]));
    std::ranges::sort(all);
    std::vector<Bytes> out;
    for (auto& [pts, captions] : all)
        out.push_back(std::move(captions));
    return out;
}

// 60 fps, a second of it, each picture with its captions.
Bytes captioned(const std::vector<Bytes>& captions) {
    const Bytes plain = test::made_by(
        "-f lavfi -i testsrc2=size=160x90:rate=60 -frames:v " + std::to_string(captions.size()) +
        " -pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 0 -x264-params aud=1 -f h264 pipe:1");
    Bytes with;
    std::size_t n = 0;
    for (const Bytes& unit : access_units(plain, false)) {
        const Bytes message = sei(captions[n++]);
        const Bytes start{0, 0, 0, 1, 9, unit[4]};
        with.insert(with.end(), start.begin(), start.end());
        with.insert(with.end(), message.begin(), message.end());
        with.insert(with.end(), unit.begin() + 5, unit.end());
    }
    REQUIRE(n == captions.size());
    return through_ffmpeg(with, "-r 60 -f h264", "-c copy -muxdelay 0 -f mpegts pipe:1");
}

Bytes all_of(const std::vector<Bytes>& captions) {
    return test::joined(captions);
}

}  // namespace

TEST_CASE("pairs in are pairs out, in order, within each picture's share", "[captions]") {
    for (const Rational rate : {Rational{60, 1}, {30, 1}, {30000, 1001}, {24, 1}, {15, 1}}) {
        CaptionQueue queue(rate);
        const auto source = source_captions(600, 6);
        const std::size_t share = std::min<std::size_t>(31, 600 * rate.den / rate.num);
        Bytes out;
        const auto pictures = static_cast<std::int64_t>(10 * rate.value());
        std::size_t taken = 0;
        for (std::int64_t k = 0; k < pictures; ++k) {
            for (; taken < source.size() && taken * pictures < (k + 1) * source.size(); ++taken)
                queue.add(source[taken]);
            const Bytes one = queue.take(k + 1 == pictures);
            CHECK(one.size() == 3 * share);  // padded: the source has CEA-708
            const Bytes lines = of_type(one, 0, 1);
            CHECK(std::equal(lines.begin(), lines.end(), one.begin()));
            out.insert(out.end(), one.begin(), one.end());
        }
        CHECK(queue.waiting() == 0);
        CHECK(of_type(out, 0, 1) == of_type(all_of(source), 0, 1));
        CHECK(of_type(out, 2, 3) == of_type(all_of(source), 2, 3));
    }
}

TEST_CASE("line 21 alone is not padded, padding of the source is not carried", "[captions]") {
    CaptionQueue queue({30, 1});
    CHECK(queue.take().empty());
    queue.add(pair_of(0, 7));
    CHECK(queue.take() == pair_of(0, 7));
    queue.add(Bytes{0xfa, 0, 0, 0xf8, 0x80, 0x80});  // neither is valid
    const Bytes padded = queue.take();
    CHECK(padded.size() == 60);
    CHECK(of_type(padded, 0, 3).empty());
}

TEST_CASE("what does not fit waits, is bounded, and is counted", "[captions]") {
    CaptionQueue queue({60, 1});
    for (unsigned n = 0; n < 5000; ++n)
        queue.add(pair_of(2, n));
    CHECK(queue.take().size() == 30);
    CHECK(queue.take(true).size() == 93);
    CHECK(queue.waiting() == 5000 - 10 - 31);
}

TEST_CASE("captions survive 60 to 30 to 15 frames per second, and passthrough", "[captions]") {
    const auto captions = source_captions(60, 4);
    const Bytes source = captioned(captions);
    REQUIRE(all_of(shown_captions(source, false)) == all_of(captions));
    TranscodeRequest request;
    request.ladder = {test::quick("same", {80, 46}), test::quick("p60", {80, 46}, {60, 1}),
                      test::quick("p30", {80, 46}, {30, 1}), test::quick("p15", {80, 46}, {15, 1}),
                      test::quick("drop", {80, 46})};
    for (RenditionSpec& spec : request.ladder)
        spec.preset = "veryfast";  // with B-frames
    request.ladder[4].data = DataStreams::drop;
    const test::Transcoded out(source, request);
    REQUIRE(out.report);
    CHECK(out.report->warnings.empty());
    for (const char* name : {"same", "p60", "p30", "p15"}) {
        INFO(name);
        const auto shown = shown_captions(out.files.at(name), false);
        const Bytes all = all_of(shown);
        CHECK(of_type(all, 0, 1) == of_type(all_of(captions), 0, 1));
        CHECK(of_type(all, 2, 3) == of_type(all_of(captions), 2, 3));
    }
    CHECK(all_of(shown_captions(out.files.at("drop"), false)).empty());
    // A second generation, from what came out of the first.
    request.ladder = {test::quick("p15", {80, 46}, {15, 1})};
    const test::Transcoded again(out.files.at("p30"), request);
    REQUIRE(again.report);
    const Bytes all = all_of(shown_captions(again.files.at("p15"), false));
    CHECK(of_type(all, 0, 1) == of_type(all_of(captions), 0, 1));
    CHECK(of_type(all, 2, 3) == of_type(all_of(captions), 2, 3));
}

TEST_CASE("captions ride in HEVC too, in both containers", "[captions]") {
    const auto captions = source_captions(30, 4);
    TranscodeRequest request;
    request.ladder = {test::quick("same", {80, 46}), test::quick("p30", {80, 46}, {30, 1}),
                      test::quick("mp4", {80, 46}, {30, 1})};
    request.ladder[2].container = Container::mp4;
    for (RenditionSpec& spec : request.ladder)
        spec.codec = VideoCodec::hevc;
    const test::Transcoded out(captioned(captions), request);
    INFO((out.report ? "" : out.report.error().message));
    REQUIRE(out.report);
    for (const char* name : {"same", "p30", "mp4"}) {
        INFO(name);
        const bool mp4 = name == std::string("mp4");
        // MP4 has no delimiters between pictures; FFmpeg's MPEG-TS muxer puts them in.
        const Bytes file =
            mp4 ? through_ffmpeg(out.files.at(name), "", "-c copy -muxdelay 0 -f mpegts pipe:1")
                : out.files.at(name);
        const Bytes all = all_of(shown_captions(file, true));
        CHECK(of_type(all, 0, 1) == of_type(all_of(captions), 0, 1));
        CHECK(of_type(all, 2, 3) == of_type(all_of(captions), 2, 3));
        CHECK(test::decoded_frames(out.files.at(name)) == (name == std::string("same") ? 30 : 15));
    }
}

}  // namespace millrace::media
