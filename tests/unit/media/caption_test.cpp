#include <algorithm>

#include "tests/support/catch.h"
#include "tests/unit/media/captions.h"
#include "tests/unit/media/clips.h"
#include "tests/unit/media/transcoded.h"
#include "transcoder/media/caption_queue.h"

namespace millrace::media {
namespace {

using test::all_of;
using test::Bytes;
using test::captioned;
using test::of_type;
using test::pair_of;
using test::shown_captions;
using test::source_captions;
using test::through_ffmpeg;

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
