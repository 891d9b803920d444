// What playlists say beside the order of segments: joins, init parts, splices, and numbers after a restart.

#include "orchestrator/front/joins.h"
#include "orchestrator/front/playlist_text.h"
#include "orchestrator/front/rendition_part.h"
#include "tests/unit/front/fixture.h"

using namespace millrace;
using namespace millrace::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

using Answered = std::shared_ptr<AnsweredSegment>;

void list(StreamPlaylist& playlist, const Answered& answered) {
    playlist.expect(answered->key, TimePoint{} + 1s, TimePoint{});
    playlist.answer(answered, TimePoint{});
    playlist.advance_to(TimePoint{} + 1s);
}

std::vector<bool> discontinuities(const StreamPlaylist& playlist) {
    std::vector<bool> list;
    for (const ListedSegment* entry : playlist.listed())
        list.push_back(entry->discontinuity);
    return list;
}

// Both renditions in fragmented MP4: an init part that differs from segment to segment in its bytes, as a
// muxer may, and fragments.
Answered in_mp4(SegmentKey of, std::uint8_t parameter_sets) {
    Answered answered = segment(std::move(of));
    for (std::size_t i = 0; i < 2; ++i) {
        RenditionReport& report = answered->report.renditions[i];
        const std::string seq = std::to_string(answered->key.seq);
        const std::string init = "init of " + report.name + ' ' + seq + ';';
        report.container = Container::mp4;
        report.init_bytes = init.size();
        report.parameter_sets.fill(parameter_sets);
        // Longer than a block, so that the parts are put together from several.
        answered->renditions[i] =
            payload(init + "fragments " + seq + std::string(kBlockBytes, 'f') + '!');
        report.bytes = answered->renditions[i]->size();
    }
    return answered;
}

}  // namespace

TEST_CASE("a segment joins the one before it unless something a decoder must know changed",
          "[front][hls]") {
    const Answered first = segment(key(1));
    const Answered second = segment(key(2));
    CHECK(joins(*first, *second));
    SECTION("the source's clock jumps") {
        second->report.source.start_us += 1'100'000;
        CHECK_FALSE(joins(*first, *second));
    }
    SECTION("the same segment comes again under the next number") {
        second->report.source.start_us = first->report.source.start_us;
        CHECK_FALSE(joins(*first, *second));
    }
    SECTION("the 33-bit clock turns over") {
        first->report.source.start_us = 95'443'000'000;
        second->report.source.start_us = 1'282'000;
        CHECK(joins(*first, *second));
        second->report.source.container = first->report.source.container = Container::mp4;
        CHECK_FALSE(joins(*first, *second));
    }
    SECTION("the source has another size") {
        second->report.source.size = {640, 360};
        CHECK_FALSE(joins(*first, *second));
    }
    SECTION("a track is gone") {
        second->report.source.codecs = "mp4a.40.2";
        CHECK_FALSE(joins(*first, *second));
    }
    SECTION("a rendition has other parameter sets") {
        first->report.renditions[1].parameter_sets.fill(1);
        CHECK(joins(*first, *second));  // not known is not different
        second->report.renditions[1].parameter_sets.fill(2);
        CHECK_FALSE(joins(*first, *second));
    }
    SECTION("a rendition falls away, and comes back") {
        second->report.renditions.pop_back();
        CHECK(joins(*first, *second));
        CHECK(joins(*second, *segment(key(3))));
    }
    SECTION("numbers that no clock shows") {
        second->report.source.start_us = std::numeric_limits<std::int64_t>::min();
        CHECK_FALSE(joins(*first, *second));
        CHECK_FALSE(joins(*second, *first));
    }
}

TEST_CASE("a playlist shows where segments do not join", "[front][hls]") {
    StreamPlaylist playlist({});
    for (std::uint64_t seq : {1, 2, 3, 4}) {
        const Answered answered = segment(key(seq));
        if (seq >= 3)
            answered->report.source.start_us += 60'000'000;
        list(playlist, answered);
    }
    CHECK(discontinuities(playlist) == std::vector<bool>{false, false, true, false});
}

TEST_CASE("wall time follows the media between discontinuities", "[front][hls]") {
    StreamPlaylist playlist({});
    for (std::uint64_t seq : {1, 2, 3, 5}) {
        const Answered answered = segment(key(seq));
        answered->committed_at.ms += seq == 2 ? 900 : 0;  // transcoding took its time
        answered->total = 300ms;
        list(playlist, answered);
    }
    std::vector<std::string> times;
    for (const ListedSegment* entry : playlist.listed())
        times.push_back(date_time(entry->starts_at).substr(14));
    CHECK(times ==
          std::vector<std::string>{"13:19.700Z", "13:21.700Z", "13:23.700Z", "13:27.700Z"});
}

TEST_CASE("fragmented MP4 is listed with its init part, once for all that share it",
          "[front][hls]") {
    FrontFixture fixture;
    for (const auto& [seq, parameter_sets] : {std::pair{1, 1}, {2, 1}, {3, 2}}) {
        const SegmentKey of = key(static_cast<std::uint64_t>(seq));
        fixture.playback.segment_expected({"cam"}, of, std::chrono::steady_clock::now() + 10s);
        fixture.playback.segment_answered(in_mp4(of, static_cast<std::uint8_t>(parameter_sets)));
    }
    const std::string text = fixture.call("GET", "/stream/cam/P240.m3u8").body;
    const std::string one = "#EXT-X-MAP:URI=\"P240/init_0101010101010101.mp4\"\n";
    const std::string two = "#EXT-X-MAP:URI=\"P240/init_0202020202020202.mp4\"\n";
    CHECK_THAT(text, Contains("#EXT-X-VERSION:7\n"));
    CHECK(text.find(one) == text.rfind(one));
    CHECK(text.find(one) < text.find("P240/aaaaaaaa_0_1.m4s\n"));
    CHECK_THAT(text, Contains("#EXT-X-DISCONTINUITY\n" + two));
    CHECK(text.find("P240/aaaaaaaa_0_2.m4s\n") < text.find(two));
    CHECK_THAT(fixture.call("GET", "/stream/cam.m3u8").body, Contains("#EXT-X-VERSION:7\n") &&
                                                                 Contains("cam/P360.m3u8") &&
                                                                 !Contains("cam/source.m3u8"));

    const auto init = fixture.call("GET", "/stream/cam/P240/init_0101010101010101.mp4");
    CHECK(init.headers.find("Content-Type") == "video/mp4");
    CHECK(init.body == "init of P240 1;");
    const auto media = fixture.call("GET", "/stream/cam/P240/aaaaaaaa_0_2.m4s");
    CHECK(media.headers.find("Content-Type") == "video/mp4");
    CHECK(media.body == "fragments 2" + std::string(kBlockBytes, 'f') + '!');
    const auto whole = fixture.call("GET", "/stream/cam/P240/aaaaaaaa_0_2.mp4");
    CHECK(whole.body == "init of P240 2;" + media.body);
    // The source came in MPEG-TS and stays that.
    CHECK_THAT(fixture.call("GET", "/stream/cam/source.m3u8").body,
               Contains("source/aaaaaaaa_0_2.ts\n") && !Contains("EXT-X-MAP"));
    for (const char* path : {"P240/init_0303030303030303.mp4", "P240/aaaaaaaa_0_2.ts",
                             "P240/init_0101010101010101.m4s", "source/aaaaaaaa_0_2.m4s",
                             "source/init_0101010101010101.mp4"})
        CHECK(fixture.call("GET", std::string("/stream/cam/") + path).status == 404);
}

TEST_CASE("an init part that came without a hash is named by its bytes", "[front][hls]") {
    const Answered first = in_mp4(key(1), 0);
    const auto part = find_rendition(*first, "P240");
    REQUIRE(part);
    CHECK(init_name(*part) == init_name(*find_rendition(*in_mp4(key(1), 0), "P240")));
    CHECK(init_name(*part) != init_name(*find_rendition(*in_mp4(key(2), 0), "P240")));
}

TEST_CASE("an init part longer than its rendition is not served", "[front][hls]") {
    const Answered lie = in_mp4(key(1), 1);
    lie->report.renditions[0].init_bytes = lie->renditions[0]->size();
    CHECK_FALSE(find_rendition(*lie, "P240"));
    lie->report.renditions[0].init_bytes = ~0ULL;
    CHECK_FALSE(find_rendition(*lie, "P240"));
    lie->report.renditions[0].init_bytes = 0;  // not fragmented: nothing a playlist could name
    CHECK_FALSE(find_rendition(*lie, "P240"));
    CHECK(find_rendition(*lie, "P360"));
}

TEST_CASE("splices become date ranges, and the way back shares the id of the way out",
          "[front][hls]") {
    StreamPlaylist playlist({});
    const auto marker = [](SpliceKind kind, std::uint32_t event, std::int64_t at_us) {
        SpliceMarker splice;
        splice.kind = kind;
        splice.event_id = event;
        splice.start_us = at_us;
        splice.section = {0xfc, 0x30, static_cast<std::uint8_t>(event)};
        return splice;
    };
    for (std::uint64_t seq : {1, 2, 3}) {
        const Answered answered = segment(key(seq));
        auto& splices = answered->report.splices;
        if (seq < 3) {  // announced twice
            splices.push_back(marker(SpliceKind::out, 7, 5'000'000));
            splices.back().duration_us = 30'000'000;
        } else {
            splices.push_back(marker(SpliceKind::in, 7, 7'500'000));
            splices.push_back(marker(SpliceKind::in, 8, 7'500'000));
            splices.push_back(marker(SpliceKind::command, 9, 6'000'000));
        }
        list(playlist, answered);
    }
    const std::string text = *media_playlist(playlist, "P240", false);
    const std::string out =
        "#EXT-X-DATERANGE:ID=\"splice-7-0-0\",START-DATE=\"2023-11-14T22:13:23.000Z\",";
    CHECK_THAT(text, Contains(out + "PLANNED-DURATION=30.000,SCTE35-OUT=0xFC3007\n#EXTINF"));
    CHECK(text.find("SCTE35-OUT") == text.rfind("SCTE35-OUT"));
    CHECK_THAT(text, Contains(out + "END-DATE=\"2023-11-14T22:13:25.500Z\",SCTE35-IN=0xFC3007\n"));
    CHECK_THAT(text, Contains("START-DATE=\"2023-11-14T22:13:25.500Z\",SCTE35-IN=0xFC3008\n"));
    CHECK_THAT(text, Contains("START-DATE=\"2023-11-14T22:13:24.000Z\",SCTE35-CMD=0xFC3009\n"));
}

TEST_CASE("after a restart numbers go on and nothing committed is listed again", "[front][hls]") {
    StreamPlaylist playlist({});
    playlist.resume({key(0).session, 57, std::pair(0U, std::uint64_t{12})});
    CHECK(playlist.listed().empty());
    list(playlist, segment(key(12)));  // a repeat of what was listed before
    CHECK(playlist.listed().empty());
    list(playlist, segment(key(13)));
    list(playlist, segment(key(14)));
    REQUIRE(playlist.listed().size() == 2);
    CHECK(playlist.listed()[0]->media_sequence == 57);
    CHECK(discontinuities(playlist) == std::vector<bool>{true, false});
    CHECK_THAT(*media_playlist(playlist, "P240", true),
               Contains("#EXT-X-MEDIA-SEQUENCE:57\n#EXT-X-DISCONTINUITY-SEQUENCE:57\n") &&
                   !Contains("EVENT"));
}

TEST_CASE("a player that comes back after a restart finds higher numbers, or nothing yet",
          "[front][hls]") {
    TimePoint now{};
    Playback playback({}, [&] { return now; });
    playback.resume({"cam"}, {key(0, 0, 'b').session, 9, std::pair(0U, std::uint64_t{4})}, true);
    playback.resume({"cam"}, {key(0).session, 9, std::nullopt}, false);
    CHECK_FALSE(playback.media({"cam"}, "P240"));
    playback.segment_expected({"cam"}, key(3), now + 1s);
    playback.segment_answered(segment(key(3)));
    CHECK_THAT(*playback.media({"cam"}, "P240"),
               Contains("#EXT-X-MEDIA-SEQUENCE:9\n") && Contains("aaaaaaaa_0_3.ts"));
    // What never came back is forgotten when its session ends.
    playback.resume({"old"}, {key(0, 0, 'c').session, 3, std::nullopt}, true);
    CHECK(playback.streams() == 2);
    now += 60s;
    playback.tick();
    CHECK(playback.streams() == 1);
}

TEST_CASE("what is over goes when nobody looks", "[front][hls]") {
    TimePoint now{};
    Playback playback({}, [&] { return now; });
    playback.segment_expected({"cam"}, key(1), now + 4s);
    playback.segment_expected({"cam"}, key(2), now + 4s);
    playback.segment_answered(segment(key(1)));
    playback.session_ended(key(1).session, {"cam"});
    CHECK(playback.bytes() > 0);
    now += 61s;
    playback.tick();
    CHECK(playback.streams() == 0);
    CHECK(playback.bytes() == 0);
}

TEST_CASE("the bandwidth of a master playlist is a peak over the window, short ends apart",
          "[front][hls]") {
    StreamPlaylist playlist({});
    for (std::uint64_t seq : {1, 2, 3}) {
        const Answered answered = segment(key(seq), seq == 3 ? 40 : 2000);
        answered->renditions[0] = payload(std::string(seq == 2 ? 2000 : 1000, 'x'));
        list(playlist, answered);
    }
    // Segment 3 alone would be 200,000 bit/s; with the one before it it is 24,000 bit in 2.04 s.
    CHECK_THAT(*master_playlist({"cam"}, playlist),
               Contains("BANDWIDTH=11765,AVERAGE-BANDWIDTH=7921,"));
}

TEST_CASE("one segment without a picture does not make a rendition audio only", "[front][hls]") {
    StreamPlaylist playlist({});
    for (std::uint64_t seq : {1, 2}) {
        const Answered answered = segment(key(seq));
        if (seq == 2)
            for (RenditionReport& report : answered->report.renditions) {
                report.size = {};
                report.codecs = "mp4a.40.2";
            }
        list(playlist, answered);
    }
    CHECK_THAT(*master_playlist({"cam"}, playlist),
               Contains("CODECS=\"avc1.4d401e,mp4a.40.2\",RESOLUTION=426x240"));
    CHECK(discontinuities(playlist) == std::vector<bool>{false, true});
    StreamPlaylist radio({});
    const Answered sound = segment(key(1));
    sound->report.renditions[0].size = {};
    sound->report.renditions[0].codecs = "mp4a.40.2";
    list(radio, sound);
    CHECK_THAT(*master_playlist({"cam"}, radio),
               Contains("AVERAGE-BANDWIDTH=24,CODECS=\"mp4a.40.2\"\ncam/P240.m3u8"));
}
