// ID3 and SCTE 35, with FFmpeg's demuxer as the oracle of what stands in a stream.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "tests/unit/media/transcoded.h"
#include "transcoder/media/id3.h"
#include "transcoder/media/mp4_events.h"
#include "transcoder/media/splice_info.h"
#include "transcoder/media/ts_data.h"

namespace millrace::media {
namespace {

using Bytes = std::vector<std::uint8_t>;
using namespace std::chrono_literals;

void put(Bytes& to, std::uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i)
        to.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

Bytes section(std::uint8_t command, const Bytes& body, const Bytes& descriptors, Ticks adjustment) {
    Bytes out{0xfc, 0x30, 0x00, 0x00};
    put(out, static_cast<std::uint64_t>(adjustment), 5);
    put(out, 0x00fff0, 3);  // cw_index, tier, upper bits of the length
    out.push_back(static_cast<std::uint8_t>(body.size()));
    out.push_back(command);
    out.insert(out.end(), body.begin(), body.end());
    put(out, descriptors.size(), 2);
    out.insert(out.end(), descriptors.begin(), descriptors.end());
    out[2] = static_cast<std::uint8_t>(out.size() - 3 + 4);
    put(out, section_crc(out), 4);
    return out;
}

Bytes insert(std::uint32_t event, bool leaves, std::optional<Ticks> at, Ticks duration,
             Ticks adjustment = 0) {
    Bytes body;
    put(body, event, 4);
    body.push_back(0x7f);
    body.push_back(static_cast<std::uint8_t>((leaves ? 0x80 : 0) | 0x40 |
                                             (duration > 0 ? 0x20 : 0) | (at ? 0 : 0x10) | 0x0f));
    if (at)
        put(body, 0xfe00000000 | static_cast<std::uint64_t>(*at), 5);
    if (duration > 0)
        put(body, 0xfe00000000 | static_cast<std::uint64_t>(duration), 5);
    put(body, 1, 2);
    put(body, 0, 2);
    return section(5, body, {}, adjustment);
}

Bytes time_signal(Ticks at, std::uint8_t type, std::uint32_t event, Ticks duration) {
    Bytes body;
    put(body, 0xfe00000000 | static_cast<std::uint64_t>(at), 5);
    Bytes descriptor;
    put(descriptor, 0x43554549, 4);
    put(descriptor, event, 4);
    descriptor.insert(descriptor.end(), {0x7f, 0xff});
    put(descriptor, static_cast<std::uint64_t>(duration), 5);
    descriptor.insert(descriptor.end(), {0x09, 0x02, 'i', 'd', type, 1, 1});
    descriptor.insert(descriptor.begin(), {0x02, static_cast<std::uint8_t>(descriptor.size())});
    return section(6, body, descriptor, 0);
}

// A longer one, so that it takes several packets.
Bytes id3(const std::string& text) {
    const std::size_t frame = 10 + 1 + text.size();
    Bytes tag{'I',
              'D',
              '3',
              4,
              0,
              0,
              0,
              0,
              static_cast<std::uint8_t>(frame >> 7),
              static_cast<std::uint8_t>(frame & 0x7f),
              'T',
              'X',
              'X',
              'X',
              0,
              0,
              static_cast<std::uint8_t>((text.size() + 1) >> 7),
              static_cast<std::uint8_t>((text.size() + 1) & 0x7f),
              0,
              0,
              3};
    tag.insert(tag.end(), text.begin(), text.end());
    return tag;
}

// All bytes that FFmpeg's demuxer finds in one data stream.
Bytes data_in(const Bytes& file, int stream) {
    const auto path = std::filesystem::temp_directory_path() / "millrace-data.ts";
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(file.data()),
               static_cast<std::streamsize>(file.size()));
    Bytes out = test::made_by("-i " + path.string() + " -map 0:d:" + std::to_string(stream) +
                              " -c copy -f data pipe:1");
    std::filesystem::remove(path);
    return out;
}

// A second from 10 s on, one cue of each kind and two tags.
struct Source {
    Bytes out = insert(7, true, 1'035'000, 2'700'000);
    Bytes in = insert(7, false, 935'000, 0, 100'000);
    Bytes signal = time_signal(990'000, 0x34, 77, 900'000);
    Bytes first = id3("one");
    Bytes second = id3(std::string(500, 'x'));
    Bytes ts = *add_timed_data(test::clip({.seconds = 1.0}), {DataKind::scte35, DataKind::id3},
                               {{0, 0, 909'000, out},
                                {1, 911'000, 911'000, first},
                                {0, 0, 925'000, in},
                                {0, 0, 940'000, signal},
                                {1, 953'217, 950'000, second}});
};

// An event message as ISO/IEC 23009-1, 5.10.3.3 writes it, read by a reader of our tests' own.
struct Message {
    std::uint64_t timescale = 0, at = 0, duration = 0, id = 0;
    std::string scheme{}, value{};
    Bytes data{};
};

struct Mp4Parts {
    std::vector<std::string> order;  // of the boxes
    std::vector<Message> messages;
    Bytes rest;  // everything else
};

std::uint64_t number(const Bytes& from, std::size_t at, std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i)
        value = value * 256 + from.at(at + i);
    return value;
}

Message message_in(const Bytes& box) {
    REQUIRE(number(box, 8, 4) == 0x01000000);  // version 1, no flags
    Message m{number(box, 12, 4), number(box, 16, 8), number(box, 24, 4), number(box, 28, 4)};
    std::size_t at = 32;
    for (std::string* text : {&m.scheme, &m.value}) {
        while (box.at(at) != 0)
            text->push_back(static_cast<char>(box[at++]));
        ++at;
    }
    m.data.assign(box.begin() + static_cast<std::ptrdiff_t>(at), box.end());
    return m;
}

Mp4Parts parts_of(const Bytes& file) {
    Mp4Parts parts;
    for (std::size_t at = 0; at < file.size();) {
        const std::size_t size = number(file, at, 4);
        REQUIRE((size >= 8 && size <= file.size() - at));
        const Bytes box(file.begin() + static_cast<std::ptrdiff_t>(at),
                        file.begin() + static_cast<std::ptrdiff_t>(at + size));
        parts.order.emplace_back(box.begin() + 4, box.begin() + 8);
        if (parts.order.back() == "emsg")
            parts.messages.push_back(message_in(box));
        else
            parts.rest.insert(parts.rest.end(), box.begin(), box.end());
        at += size;
    }
    return parts;
}

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
        const Bytes whole = add_events(Bytes(16), 8, {{kind, at, std::nullopt, {1, 2, 3}}});
        return message_in(Bytes(whole.begin() + 8, whole.end() - 8)).id;
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
