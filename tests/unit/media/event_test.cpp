// Event messages of MP4 sources: found in any pieces, carried into both containers.

#include <algorithm>

#include "tests/support/catch.h"
#include "tests/unit/media/cues.h"
#include "tests/unit/media/transcoded.h"
#include "transcoder/media/mp4_event_reader.h"
#include "transcoder/media/mp4_events.h"
#include "transcoder/media/splice_info.h"

namespace millrace::media {
namespace {

using test::Bytes, test::put;

struct Box {
    explicit Box(std::string name) { bytes.assign(name.begin(), name.end()); }
    Box& number(std::uint64_t value, int size) {
        put(bytes, value, size);
        return *this;
    }
    Box& text(std::string_view value) {
        bytes.insert(bytes.end(), value.begin(), value.end());
        bytes.push_back(0);
        return *this;
    }
    Box& rest(const Bytes& value) {
        bytes.insert(bytes.end(), value.begin(), value.end());
        return *this;
    }
    [[nodiscard]] Bytes whole() const {
        Bytes box;
        put(box, bytes.size() + 4, 4);
        return test::joined({box, bytes});
    }
    Bytes bytes;
};

// ISO/IEC 23009-1, 5.10.3.3.
Bytes version_0(std::string_view scheme, std::uint32_t timescale, std::uint32_t after,
                std::uint32_t duration, const Bytes& data) {
    return Box("emsg")
        .number(0, 4)
        .text(scheme)
        .text("")
        .number(timescale, 4)
        .number(after, 4)
        .number(duration, 4)
        .number(5, 4)
        .rest(data)
        .whole();
}
Bytes version_1(std::string_view scheme, std::uint32_t timescale, std::uint64_t at,
                std::uint32_t duration, const Bytes& data) {
    return Box("emsg")
        .number(0x01000000, 4)
        .number(timescale, 4)
        .number(at, 8)
        .number(duration, 4)
        .number(5, 4)
        .text(scheme)
        .text("")
        .rest(data)
        .whole();
}

constexpr std::uint32_t kUnknown = 0xffffffff;

std::vector<Mp4EventReader::Event> read(const Bytes& file, std::size_t piece,
                                        int* left_out = nullptr) {
    Mp4EventReader reader;
    std::vector<Mp4EventReader::Event> events;
    for (std::span<const std::uint8_t> rest = file; !rest.empty();) {
        const std::size_t count = std::min(piece, rest.size());
        reader.feed(rest.first(count));
        rest = rest.subspan(count);
        std::ranges::move(reader.take(), std::back_inserter(events));
    }
    if (left_out != nullptr)
        *left_out = reader.left_out();
    return events;
}

TranscodeRequest request_for(Container container) {
    TranscodeRequest request;
    request.ladder = {test::quick("out", {80, 46})};
    request.ladder[0].container = container;
    return request;
}

// A second of video from 10 s on in one fragment, with messages between init part and fragment.
Bytes mp4_with(const std::vector<Bytes>& messages) {
    const test::Transcoded plain(test::clip({.seconds = 1.0}), request_for(Container::mp4));
    const Bytes& file = plain.files.at("out");
    const auto init = static_cast<std::ptrdiff_t>(plain.of("out").init_bytes);
    return test::joined({Bytes(file.begin(), file.begin() + init), test::joined(messages),
                         Bytes(file.begin() + init, file.end())});
}

}  // namespace

TEST_CASE("event messages are found in pieces of any size", "[events]") {
    const Bytes tag = test::id3("one");
    const Bytes cue = test::insert(7, true, 1'035'000, 0);
    Bytes large{0, 0, 0, 1, 'm', 'd', 'a', 't'};  // with a 64-bit size
    put(large, 16 + 5, 8);
    large.insert(large.end(), 5, 'x');
    const Bytes file = test::joined(
        {Box("ftyp").number(1, 4).whole(), version_0(kId3Scheme, 1000, 1500, kUnknown, tag), large,
         version_1("urn:example:other", 1, 1, 1, {1}), Box("free").whole(),
         version_1(kScte35Scheme, 48'000, 480'024, 96'000, cue),
         Box("mdat").rest(Bytes(300)).whole()});
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, file.size()}) {
        INFO("pieces of " << piece);
        int left_out = 0;
        const auto events = read(file, piece, &left_out);
        REQUIRE(events.size() == 2);
        CHECK(left_out == 1);
        CHECK(events[0].kind == DataKind::id3);
        CHECK(events[0].relative);
        CHECK(events[0].at == 135'000);
        CHECK_FALSE(events[0].duration);
        CHECK(events[0].bytes == tag);
        CHECK(events[1].kind == DataKind::scte35);
        CHECK_FALSE(events[1].relative);
        CHECK(events[1].at == 900'045);
        CHECK(events[1].duration == 180'000);
        CHECK(events[1].bytes == cue);
    }
}

TEST_CASE("damaged and oversized event messages are counted and nothing more", "[events]") {
    const Bytes good = version_1(kId3Scheme, 1000, 10'000, 5, test::id3("one"));
    const auto counted = [](const Bytes& file) {
        int left_out = 0;
        CHECK(read(file, 3, &left_out).empty());
        return left_out;
    };
    CHECK(counted(version_1(kId3Scheme, 0, 10'000, 5, {1})) == 1);             // no clock
    CHECK(counted(version_1(kId3Scheme, 1, ~std::uint64_t{0}, 5, {1})) == 1);  // beyond all clocks
    CHECK(counted(version_1(kId3Scheme, 1000, 10'000, 5, {})) == 1);           // empty
    CHECK(counted(Box("emsg").number(0x02000000, 4).rest(Bytes(40)).whole()) == 1);
    CHECK(counted(Box("emsg").rest(Bytes(Mp4EventReader::kMessageBytesMax + 1)).whole()) == 1);
    CHECK(counted({0, 0, 0, 3, 'e', 'm', 's', 'g', 1, 2, 3}) <= 1);
    for (std::size_t size = 0; size < good.size(); ++size)
        CHECK(counted(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size))) == 0);
    for (std::size_t at = 0; at < good.size(); ++at)
        for (int bit = 0; bit < 8; ++bit) {
            Bytes bad = good;
            bad[at] ^= static_cast<std::uint8_t>(1 << bit);
            (void)read(bad, 5);
        }
    Mp4EventReader reader;  // nobody takes them
    for (std::size_t n = 0; n < Mp4EventReader::kWaitingMax + 3; ++n)
        reader.feed(good);
    CHECK(reader.take().size() == Mp4EventReader::kWaitingMax);
    CHECK(reader.left_out() == 3);
}

TEST_CASE("an MP4's event messages go into MP4 with their bytes and times", "[events]") {
    const Bytes tag = test::id3("one");
    const Bytes cue = test::insert(7, true, 5'000, 0);  // on another clock than the media's
    const Bytes source = mp4_with({version_0(kId3Scheme, 1000, 400, kUnknown, tag),
                                   version_1(kScte35Scheme, 10, 115, 300, cue),
                                   version_1("urn:example:other", 1, 1, 1, {1})});
    const test::Transcoded done(source, request_for(Container::mp4));
    REQUIRE(done.report);
    const auto parts = test::parts_of(done.files.at("out"));
    REQUIRE(parts.messages.size() == 2);
    CHECK(parts.messages[0].at == 936'000);
    CHECK(parts.messages[0].duration == kUnknown);
    CHECK(parts.messages[0].data == tag);
    CHECK(parts.messages[1].at == 1'035'000);
    CHECK(parts.messages[1].duration == 2'700'000);
    CHECK(parts.messages[1].data == cue);
    CHECK(done.warned("1 event messages are neither ID3 nor SCTE 35"));
    REQUIRE(done.report->splices.size() == 1);
    CHECK(done.report->splices[0] == SpliceMarker{11'500'000, 30'000'000, 7, SpliceKind::out, cue});
}

TEST_CASE("an MP4's event messages go into MPEG-TS, cues moved to its clock", "[events]") {
    const Bytes tag = test::id3("one");
    const Bytes cue = test::insert(7, true, 5'000, 0);
    const Bytes source = mp4_with({version_1(kScte35Scheme, 10, 115, 300, cue),
                                   version_0(kId3Scheme, 1000, 400, kUnknown, tag)});
    const test::Transcoded done(source, request_for(Container::mpegts));
    REQUIRE(done.report);
    const Bytes& file = done.files.at("out");
    CHECK(test::probe_times(file, "d:0") == std::vector<std::int64_t>{936'000});
    CHECK(test::probe_entry(file, "d:0", "codec_name") == "timed_id3");
    const Bytes moved = test::data_in(file, 1);
    CHECK(moved.size() == cue.size());
    CHECK(section_crc(moved) == 0);
    CHECK(parse_splice(moved)->at == 1'035'000);
    CHECK(test::decoded_frames(file) == 25);
}

TEST_CASE("only what came of event messages is announced in MPEG-TS", "[events]") {
    const test::Transcoded none(mp4_with({}), request_for(Container::mpegts));
    CHECK(test::probe_entry(none.files.at("out"), "d:0", "codec_name").empty());
    const test::Transcoded one(mp4_with({version_0(kId3Scheme, 1, 0, kUnknown, test::id3("a"))}),
                               request_for(Container::mpegts));
    CHECK(test::probe_entry(one.files.at("out"), "d:0", "codec_name") == "timed_id3");
    CHECK(test::probe_entry(one.files.at("out"), "d:1", "codec_name").empty());
}

TEST_CASE("a splice is moved by its adjustment, over the wrap too", "[events]") {
    const Bytes cue = test::insert(7, true, 1'035'000, 0, 100);
    for (const Ticks at : {Ticks{0}, Ticks{1'035'100}, kWrap - 1}) {
        const Bytes moved = splice_moved(cue, at);
        CHECK(parse_splice(moved)->at == at);
        CHECK(section_crc(moved) == 0);
    }
    CHECK(parse_splice(splice_moved(cue, kWrap + 5))->at == 5);
    CHECK(splice_moved(cue, 1'035'100) == cue);
    const Bytes at_once = test::insert(3, true, std::nullopt, 0);
    CHECK(splice_moved(at_once, 9) == at_once);
    CHECK(splice_moved({1, 2}, 9) == Bytes{1, 2});
}

}  // namespace millrace::media
