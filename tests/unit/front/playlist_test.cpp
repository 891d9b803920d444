#include "orchestrator/front/playlist.h"

#include <set>

#include "common/base/rng.h"
#include "orchestrator/front/playlist_text.h"
#include "orchestrator/front/rendition_part.h"
#include "tests/support/catch.h"
#include "tests/unit/front/media.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::test;
using namespace std::chrono_literals;

namespace {

TimePoint at(Duration d) {
    return TimePoint{} + d;
}

std::vector<std::uint64_t> seqs(const StreamPlaylist& playlist) {
    std::vector<std::uint64_t> list;
    for (const ListedSegment* entry : playlist.listed())
        list.push_back(entry->segment->key.seq);
    return list;
}

std::size_t discontinuities(const StreamPlaylist& playlist) {
    std::size_t count = 0;
    for (const ListedSegment* entry : playlist.listed())
        count += entry->discontinuity ? 1 : 0;
    return count;
}

using Seqs = std::vector<std::uint64_t>;

// Accepted and answered at once; what has to wait for its deadline has waited.
void list(StreamPlaylist& playlist, const std::shared_ptr<AnsweredSegment>& answered) {
    playlist.expect(answered->key, at(1s), at(0s));
    playlist.answer(answered, at(0s));
    playlist.advance_to(at(1s));
}

}  // namespace

TEST_CASE("segments are listed in order though they are answered out of order",
          "[front][playlist]") {
    StreamPlaylist playlist({});
    for (std::uint64_t seq : {5, 6, 7})
        playlist.expect(key(seq), at(4s), at(0s));
    playlist.answer(segment(key(7)), at(1s));
    CHECK(seqs(playlist).empty());
    playlist.answer(segment(key(5)), at(1s));
    CHECK(seqs(playlist) == Seqs{5});
    playlist.answer(segment(key(6)), at(2s));
    CHECK(seqs(playlist) == Seqs{5, 6, 7});
    CHECK(discontinuities(playlist) == 0);
}

TEST_CASE("a segment past its deadline is passed over, with a discontinuity", "[front][playlist]") {
    StreamPlaylist playlist({});
    playlist.expect(key(1), at(4s), at(0s));
    playlist.answer(segment(key(1)), at(1s));
    playlist.expect(key(2), at(6s), at(2s));
    playlist.expect(key(3), at(8s), at(4s));
    playlist.answer(segment(key(3)), at(5s));
    playlist.advance_to(at(5999ms));
    CHECK(seqs(playlist) == Seqs{1});
    playlist.advance_to(at(6s));
    CHECK(seqs(playlist) == Seqs{1, 3});
    CHECK(discontinuities(playlist) == 1);
    playlist.answer(segment(key(2)), at(7s));
    CHECK(seqs(playlist) == Seqs{1, 3});
}

TEST_CASE("a failed segment is passed over at once", "[front][playlist]") {
    StreamPlaylist playlist({});
    for (std::uint64_t seq : {1, 2, 3})
        playlist.expect(key(seq), at(10s), at(0s));
    playlist.answer(segment(key(1)), at(1s));
    playlist.answer(segment(key(3)), at(1s));
    playlist.fail(key(2), at(2s));
    CHECK(seqs(playlist) == Seqs{1, 3});
    CHECK(discontinuities(playlist) == 1);
}

TEST_CASE("a number nobody has announced is waited for until the deadline of the one behind it",
          "[front][playlist]") {
    StreamPlaylist playlist({});
    playlist.expect(key(1), at(4s), at(0s));
    playlist.answer(segment(key(1)), at(0s));
    playlist.expect(key(3), at(5s), at(1s));
    playlist.answer(segment(key(3)), at(2s));
    CHECK(seqs(playlist) == Seqs{1});
    SECTION("it comes") {
        playlist.expect(key(2), at(6s), at(3s));
        playlist.answer(segment(key(2)), at(4s));
        CHECK(seqs(playlist) == Seqs{1, 2, 3});
        CHECK(discontinuities(playlist) == 0);
    }
    SECTION("it does not come") {
        playlist.advance_to(at(5s));
        CHECK(seqs(playlist) == Seqs{1, 3});
        CHECK(discontinuities(playlist) == 1);
    }
}

TEST_CASE("a new run and a new session follow with a discontinuity and higher numbers",
          "[front][playlist]") {
    StreamPlaylist playlist({});
    const auto play = [&](const SegmentKey& k) {
        playlist.expect(k, at(4s), at(0s));
        playlist.answer(segment(k), at(0s));
    };
    play(key(8));
    play(key(0, 1));
    play(key(1, 1));
    playlist.end({std::string(32, 'a')}, at(1s));
    CHECK(playlist.ended());
    play(key(0, 0, 'b'));
    CHECK_FALSE(playlist.ended());
    CHECK(seqs(playlist) == Seqs{8, 0, 1, 0});
    CHECK(discontinuities(playlist) == 2);
    std::uint64_t expected = 0;
    std::set<std::string> names;
    for (const ListedSegment* entry : playlist.listed()) {
        CHECK(entry->media_sequence == expected++);
        names.insert(segment_name(entry->segment->key));
    }
    CHECK(names.size() == 4);
}

TEST_CASE("the list slides; its numbers count what has left", "[front][playlist]") {
    StreamPlaylist playlist({.listed = 3, .tail = 2});
    for (std::uint64_t seq : {0, 1, 3, 4, 5, 6, 7, 8}) {
        list(playlist, segment(key(seq)));
    }
    CHECK(seqs(playlist) == Seqs{6, 7, 8});
    CHECK(playlist.listed().front()->media_sequence == 5);
    CHECK(playlist.listed().front()->discontinuities_before == 1);
    const auto kept = [&](std::uint64_t seq) {
        return playlist.find([&](const AnsweredSegment& s) { return s.key.seq == seq; }) != nullptr;
    };
    CHECK(kept(4));
    CHECK_FALSE(kept(3));
    CHECK_FALSE(kept(2));
}

TEST_CASE("the end is shown once everything accepted is settled, and kept a while",
          "[front][playlist]") {
    StreamPlaylist playlist({});
    playlist.expect(key(1), at(4s), at(0s));
    playlist.expect(key(2), at(4s), at(0s));
    playlist.answer(segment(key(1)), at(1s));
    playlist.end(key(1).session, at(2s));
    CHECK_FALSE(playlist.ended());
    playlist.answer(segment(key(2)), at(3s));
    CHECK(playlist.ended());
    CHECK(media_playlist(playlist, "P240", false)->ends_with("#EXT-X-ENDLIST\n"));
    CHECK_FALSE(playlist.over(at(61s)));
    CHECK(playlist.over(at(62s)));
    SECTION("a late repeat does not bring it back") {
        playlist.expect(key(2), at(20s), at(10s));
        CHECK(playlist.ended());
    }
    SECTION("something new does") {
        playlist.expect(key(3), at(20s), at(10s));
        playlist.answer(segment(key(3)), at(11s));
        CHECK_FALSE(playlist.ended());
        CHECK(seqs(playlist) == Seqs{1, 2, 3});
    }
    SECTION("the end of an earlier session is not its end") {
        playlist.expect(key(1, 0, 'b'), at(20s), at(10s));
        playlist.end(key(1).session, at(11s));
        playlist.fail(key(1, 0, 'b'), at(11s));
        CHECK_FALSE(playlist.ended());
    }
}

TEST_CASE("a media playlist is what RFC 8216 asks for", "[front][playlist]") {
    StreamPlaylist playlist({});
    for (std::uint64_t seq : {4, 5, 7}) {
        list(playlist, segment(key(seq), seq == 5 ? 2040 : 2000));
    }
    CHECK(media_playlist(playlist, "P240", false) ==
          "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:3\n#EXT-X-MEDIA-SEQUENCE:0\n"
          "#EXT-X-DISCONTINUITY-SEQUENCE:0\n"
          "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:26.000Z\n"
          "#EXTINF:2.000000,\nP240/aaaaaaaa_0_4.ts\n"
          "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:28.000Z\n"
          "#EXTINF:2.040000,\nP240/aaaaaaaa_0_5.ts\n"
          "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:32.000Z\n"
          "#EXTINF:2.000000,\nP240/aaaaaaaa_0_7.ts\n");
    CHECK(media_playlist(playlist, "source", true)->find("#EXT-X-PLAYLIST-TYPE:EVENT\n") !=
          std::string::npos);
    CHECK_FALSE(media_playlist(playlist, "P1080", false));
}

TEST_CASE("a master playlist names every rendition with bandwidth, codecs, size and rate",
          "[front][playlist]") {
    StreamPlaylist playlist({});
    CHECK_FALSE(master_playlist({"cam"}, playlist));
    list(playlist, segment(key(1)));
    CHECK(master_playlist({"c+m"}, playlist) ==
          "#EXTM3U\n#EXT-X-VERSION:3\n"
          "#EXT-X-STREAM-INF:BANDWIDTH=32,AVERAGE-BANDWIDTH=32,CODECS=\"avc1.64001f,mp4a.40.2\","
          "RESOLUTION=1280x720,FRAME-RATE=30.000\nc+m/source.m3u8\n"
          "#EXT-X-STREAM-INF:BANDWIDTH=24,AVERAGE-BANDWIDTH=24,CODECS=\"avc1.4d401e,mp4a.40.2\","
          "RESOLUTION=426x240,FRAME-RATE=30.000\nc+m/P240.m3u8\n"
          "#EXT-X-STREAM-INF:BANDWIDTH=24,AVERAGE-BANDWIDTH=24,CODECS=\"avc1.4d401e,mp4a.40.2\","
          "RESOLUTION=640x360,FRAME-RATE=30.000\nc+m/P360.m3u8\n");
}

TEST_CASE("a rendition that fell away for a segment keeps its number", "[front][playlist]") {
    StreamPlaylist playlist({});
    for (std::uint64_t seq : {1, 2}) {
        const auto answered = segment(key(seq));
        if (seq == 2) {
            answered->renditions.pop_back();
            answered->report.renditions.pop_back();
        }
        list(playlist, answered);
    }
    const auto text = media_playlist(playlist, "P360", false);
    REQUIRE(text);
    CHECK(text->find("#EXT-X-VERSION:8\n") != std::string::npos);
    CHECK(text->find("#EXT-X-GAP\n#EXTINF:2.000000,\nP360/aaaaaaaa_0_2.ts") != std::string::npos);
}

TEST_CASE("a source that HLS cannot carry as it is is no rendition", "[front][playlist]") {
    const auto webm = segment(key(1));
    webm->report.source.container = Container::matroska;
    CHECK_FALSE(find_rendition(*webm, "source"));
    CHECK(find_rendition(*webm, "P240"));
}

// Whatever arrives in whatever order: numbers rise by one, order is kept, nothing listed is ever
// inserted or changed, waiting is bounded.
TEST_CASE("lists only ever grow at the end", "[front][playlist]") {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        INFO("seed " << seed);
        Rng rng(seed);
        StreamPlaylist playlist({.listed = 1 + rng.below(6), .tail = rng.below(4)});
        std::map<std::uint64_t, SegmentKey> history;  // by media sequence
        TimePoint now{};
        std::uint64_t next = rng.below(5);
        std::uint32_t run = 0;
        std::vector<SegmentKey> open;
        for (int step = 0; step < 200; ++step) {
            now += std::chrono::milliseconds(rng.below(800));
            if (open.size() < 4 && rng.chance(0.6)) {
                if (rng.chance(0.05)) {
                    ++run;
                    next = 0;
                }
                next += rng.chance(0.1) ? 2 : 1;
                open.push_back(key(next, run));
                playlist.expect(open.back(), now + 4s, now);
            } else if (!open.empty()) {
                const std::size_t pick = rng.below(open.size());
                if (rng.chance(0.1))
                    playlist.fail(open[pick], now);
                else if (!rng.chance(0.05))
                    playlist.answer(segment(open[pick]), now);
                open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
            }
            playlist.advance_to(now);
            const SegmentKey* before = nullptr;
            for (const ListedSegment* entry : playlist.listed()) {
                const SegmentKey& k = entry->segment->key;
                const auto [known, added] = history.try_emplace(entry->media_sequence, k);
                REQUIRE(known->second == k);
                REQUIRE((!added || std::next(known) == history.end()));
                if (before != nullptr) {
                    REQUIRE(std::pair(before->run, before->seq) < std::pair(k.run, k.seq));
                    if (!entry->discontinuity)
                        REQUIRE(std::pair(before->run, before->seq + 1) == std::pair(k.run, k.seq));
                }
                before = &k;
            }
        }
        playlist.end(key(0).session, now);
        playlist.advance_to(now + 4s);
        REQUIRE(playlist.ended());
        REQUIRE(history.size() > 20);
    }
}
