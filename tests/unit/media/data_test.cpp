// ID3 and SCTE 35, with FFmpeg's demuxer as the oracle of what stands in a stream.

#include <algorithm>
#include <set>

#include "tests/support/catch.h"
#include "tests/unit/media/cues.h"
#include "tests/unit/media/transcoded.h"
#include "transcoder/media/id3.h"
#include "transcoder/media/mp4_events.h"
#include "transcoder/media/splice_info.h"
#include "transcoder/media/ts_data.h"

namespace millrace::media {
namespace {

using test::Bytes, test::id3, test::insert, test::time_signal, test::data_in, test::Source;
using test::Message, test::Mp4Parts, test::parts_of;

TranscodeRequest request_with(std::vector<RenditionSpec> ladder) {
    TranscodeRequest request;
    request.ladder = std::move(ladder);
    return request;
}

}  // namespace

TEST_CASE("the CRC is that of ISO 13818-1", "[data]") {
    const std::string check = "123456789";
    CHECK(section_crc(Bytes(check.begin(), check.end())) == 0x0376e6e7);  // CRC-32/MPEG-2
}

TEST_CASE("cues and tags pass through with their bytes and times", "[data]") {
    const Source source;
    REQUIRE(test::probe_entry(source.ts, "d:0", "codec_name") == "scte_35");
    REQUIRE(data_in(source.ts, 0) == test::joined({source.out, source.in, source.signal}));
    auto ladder = std::vector{test::quick("pass", {80, 46}), test::quick("p15", {80, 46}, {15, 1}),
                              test::quick("drop", {80, 46})};
    ladder[2].data = DataStreams::drop;
    const test::Transcoded done(source.ts, request_with(ladder));
    REQUIRE(done.report);
    CHECK(done.report->warnings.empty());
    for (const char* name : {"pass", "p15"}) {
        INFO(name);
        const Bytes& file = done.files.at(name);
        CHECK(test::probe_entry(file, "d:0", "codec_name") == "scte_35");
        CHECK(test::probe_entry(file, "d:1", "codec_name") == "timed_id3");
        CHECK(data_in(file, 0) == data_in(source.ts, 0));
        // FFmpeg's demuxer drops five bytes of each tag, so look for a whole one ourselves.
        const bool tags = data_in(file, 1) == data_in(source.ts, 1);
        CHECK(tags);
        CHECK(std::search(file.begin(), file.end(), source.first.begin(), source.first.end()) !=
              file.end());
        CHECK(test::probe_times(file, "d:1") == std::vector<std::int64_t>{911'000, 953'217});
        CHECK(test::decoded_frames(file) == (std::string(name) == "pass" ? 25 : 15));
        CHECK(file.size() == done.report->renditions[name == std::string("p15")].bytes);
        // A cue keeps its place among the pictures, to within a frame or two. (0: no time told.)
        for (const std::int64_t at : test::probe_times(file, "d:0"))
            CHECK((at == 0 || (at >= 900'000 && at <= 950'000)));
    }
    CHECK(test::probe_entry(done.files.at("drop"), "d:0", "codec_name").empty());
    const test::Transcoded without(source.ts, request_with({ladder[2]}));
    REQUIRE(without.report);
    CHECK(without.report->splices.empty());
}

TEST_CASE("in MP4 cues and tags are event messages before the fragment", "[data]") {
    const Source source;
    auto ladder = std::vector{test::quick("pass", {80, 46}), test::quick("drop", {80, 46})};
    for (RenditionSpec& spec : ladder)
        spec.container = Container::mp4;
    ladder[1].data = DataStreams::drop;
    const test::Transcoded done(source.ts, request_with(ladder));
    REQUIRE(done.report);
    CHECK(done.report->warnings.empty());
    const Mp4Parts parts = parts_of(done.files.at("pass"));
    CHECK(parts.order == std::vector<std::string>{"ftyp", "moov", "emsg", "emsg", "emsg", "emsg",
                                                  "emsg", "moof", "mdat"});
    CHECK(parts.rest == done.files.at("drop"));
    CHECK(done.of("pass").bytes == done.files.at("pass").size());
    CHECK(done.of("pass").init_bytes == done.of("drop").init_bytes);
    CHECK(test::decoded_frames(done.files.at("pass")) == 25);

    constexpr std::uint64_t kUnknown = 0xffffffff;
    struct Row {
        std::string scheme;
        std::uint64_t at, duration;
        Bytes data;
    };
    const std::string id3 = "https://aomedia.org/emsg/ID3";
    const std::string cue = "urn:scte:scte35:2013:bin";
    const std::vector<Row> rows{{cue, 1'035'000, 2'700'000, source.out},
                                {id3, 911'000, kUnknown, source.first},
                                {cue, 1'035'000, kUnknown, source.in},
                                {cue, 990'000, 900'000, source.signal},
                                {id3, 953'217, kUnknown, source.second}};
    REQUIRE(parts.messages.size() == rows.size());
    std::set<std::uint64_t> ids;
    for (std::size_t n = 0; n < rows.size(); ++n) {
        INFO("message " << n);
        const Message& m = parts.messages[n];
        CHECK(m.timescale == 90'000);
        CHECK(m.scheme == rows[n].scheme);
        CHECK(m.value.empty());
        CHECK(m.at == rows[n].at);
        CHECK(m.duration == rows[n].duration);
        CHECK(m.data == rows[n].data);
        ids.insert(m.id);
    }
    CHECK(ids.size() == rows.size());
}

TEST_CASE("a cue that is repeated is the same event, a tag at another time is another", "[data]") {
    const auto id_of = [](DataKind kind, Ticks at) {
        return parts_of(add_events({}, 0, {{kind, at, std::nullopt, {1, 2, 3}}})).messages.at(0).id;
    };
    CHECK(id_of(DataKind::scte35, 5) == id_of(DataKind::scte35, 6));
    CHECK(id_of(DataKind::id3, 5) != id_of(DataKind::id3, 6));
}

TEST_CASE("a tag whose head FFmpeg has dropped gets it back", "[data]") {
    for (const std::size_t length : {3U, 500U}) {
        Bytes four = id3(std::string(length, 'y'));
        const std::span<const std::uint8_t> rest = std::span(four).subspan(5);
        CHECK(whole_id3(four) == four);
        CHECK(whole_id3(rest) == four);
        // The same in ID3v2.3: sizes of frames have eight bits to the byte.
        Bytes three = four;
        three[3] = 3;
        three[16] = static_cast<std::uint8_t>((length + 1) >> 8);
        three[17] = static_cast<std::uint8_t>((length + 1) & 0xff);
        CHECK(whole_id3(std::span(three).subspan(5)) == (length < 127 ? four : three));
    }
    CHECK(whole_id3(Bytes{1, 2}).size() == 7);
}

TEST_CASE("cues are told in the report, on the source's clock", "[data]") {
    const Source source;
    const test::Transcoded done(source.ts, request_with({test::quick("out", {80, 46})}));
    REQUIRE(done.report);
    const auto& splices = done.report->splices;
    REQUIRE(splices.size() == 3);
    CHECK(splices[0] == SpliceMarker{11'500'000, 30'000'000, 7, SpliceKind::out, source.out});
    CHECK(splices[1] == SpliceMarker{11'500'000, 0, 7, SpliceKind::in, source.in});
    CHECK(splices[2] == SpliceMarker{11'000'000, 10'000'000, 77, SpliceKind::out, source.signal});
}

TEST_CASE("a segment without cues still announces the stream it belongs to", "[data]") {
    const Bytes ts =
        *add_timed_data(test::clip({.seconds = 0.2}), {DataKind::scte35, DataKind::id3}, {});
    const test::Transcoded done(ts, request_with({test::quick("out", {80, 46})}));
    REQUIRE(done.report);
    CHECK(test::probe_entry(done.files.at("out"), "d:0", "codec_name") == "scte_35");
}

TEST_CASE("a cue beyond the wrap of the clock lies ahead, not 26 hours behind", "[data]") {
    const Bytes cue = insert(1, true, 90'000, 0);
    const Bytes ts = *add_timed_data(test::clip({.seconds = 0.4, .start = 95443.5}),
                                     {DataKind::scte35}, {{0, 0, std::nullopt, cue}});
    const test::Transcoded done(ts, request_with({test::quick("out", {80, 46})}));
    REQUIRE(done.report);
    REQUIRE(done.report->splices.size() == 1);
    CHECK(done.report->splices[0].start_us == to_us(kWrap + 90'000));
}

TEST_CASE("splice sections that are cut, damaged or cancelled are commands or nothing", "[data]") {
    const Bytes good = insert(7, true, 1'035'000, 2'700'000);
    for (std::size_t size = 0; size < good.size(); ++size)
        CHECK_FALSE(parse_splice(std::span(good).first(size)));
    for (std::size_t at = 0; at < good.size(); ++at)
        for (int bit = 0; bit < 8; ++bit) {
            Bytes bad = good;
            bad[at] ^= static_cast<std::uint8_t>(1 << bit);
            (void)parse_splice(bad);
        }
    Bytes cancelled = good;
    cancelled[18] |= 0x80;
    CHECK(parse_splice(cancelled)->kind == SpliceKind::command);
    Bytes encrypted = good;
    encrypted[4] |= 0x80;
    CHECK(parse_splice(encrypted)->kind == SpliceKind::command);
    CHECK_FALSE(parse_splice(insert(3, true, std::nullopt, 0))->at);
    CHECK(parse_splice(time_signal(5, 0x35, 1, 0))->kind == SpliceKind::in);
    CHECK(parse_splice(time_signal(5, 0x10, 1, 0))->kind == SpliceKind::command);
}

}  // namespace millrace::media
