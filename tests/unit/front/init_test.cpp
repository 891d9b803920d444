// Fragments and the initialisation part they are put behind.

#include "common/runtime/sha256.h"
#include "orchestrator/front/init_parts.h"
#include "orchestrator/front/mp4_boxes.h"
#include "tests/unit/front/fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

std::string box(const std::string& type, const std::string& content = {}) {
    const auto size = static_cast<std::uint32_t>(8 + content.size());
    std::string text;
    for (const int shift : {24, 16, 8, 0})
        text += static_cast<char>((size >> shift) & 0xff);
    return text + type + content;
}

std::string init_part(char mark = 'a', std::size_t padding = 16) {
    return box("ftyp", "iso6") +
           box("moov", box("mvhd", std::string(padding, mark)) + box("mvex", "trex"));
}

std::string fragment(char mark, std::size_t samples = 400) {
    return box("styp", "msdh") + box("moof", "mfhd") + box("mdat", std::string(samples, mark));
}

std::span<const std::uint8_t> bytes_of(const std::string& text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string text_of(const Payload& payload) {
    std::string text(payload.size(), '\0');
    payload.read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    return text;
}

BoxWalk walked(const std::string& body, std::size_t step) {
    BoxWalk walk;
    for (std::size_t at = 0; at < body.size(); at += step)
        walk.feed(bytes_of(body).subspan(at, std::min(step, body.size() - at)));
    return walk;
}

std::string finished_text(FrontFixture& fixture, std::size_t number) {
    return fixture.port.with(
        [&](FakePort& port) { return text_of(*port.finished.at(number).body); });
}

}  // namespace

TEST_CASE("a walk over boxes tells fragments, initialisation parts and whole files apart",
          "[front][init]") {
    using Start = BoxWalk::Start;
    struct Row {
        std::string body;
        Start start;
        std::uint64_t init_end;
        bool only_init;
    };
    const std::string long_sized = std::string("\0\0\0\1", 4) + "mdat" + std::string(7, '\0') +
                                   '\x14' + "1234";  // 64 bits of size: 20
    const std::uint64_t init = init_part().size();
    const std::vector<Row> rows{
        {"", Start::undecided, 0, false},
        {box("ftyp", "iso6"), Start::undecided, 0, false},
        {init_part(), Start::complete, init, true},
        {init_part() + box("free"), Start::complete, init, true},
        {init_part() + fragment('x'), Start::complete, init, false},
        {init_part().substr(0, init - 1), Start::complete, 0, false},
        {init_part() + "tail", Start::complete, init, false},
        {box("moov", "no file type"), Start::complete, 20, false},
        {fragment('x'), Start::bare, 0, false},
        {box("sidx", std::string(5000, 's')) + box("emsg") + fragment('x'), Start::bare, 0, false},
        {fragment('x') + init_part(), Start::bare, fragment('x').size() + init, false},
        {box("ftyp") + long_sized + box("moov"), Start::complete, 36, false},
        {box("styp") + std::string("\0\0\0\3moof", 8), Start::complete, 0, false},
        {box("styp") + std::string("\0\0\0\0moof", 8), Start::bare, 0, false},
    };
    for (const Row& row : rows)
        for (const std::size_t step : {1UL, 3UL, 8UL, 100'000UL}) {
            INFO("row " << &row - rows.data() << " in steps of " << step);
            const BoxWalk walk = walked(row.body, step);
            CHECK(walk.start() == row.start);
            CHECK(walk.init_end() == row.init_end);
            CHECK(walk.only_init() == row.only_init);
        }
}

TEST_CASE("the index of a whole file is no initialisation part", "[front][init]") {
    CHECK(serves_fragments(bytes_of(init_part())));
    CHECK_FALSE(serves_fragments(bytes_of(box("ftyp", "isom") + box("moov", box("mvhd", "m")))));
    CHECK_FALSE(serves_fragments(bytes_of(box("ftyp", "isom"))));
    CHECK_FALSE(serves_fragments(bytes_of(init_part().substr(0, 40))));
    CHECK_FALSE(serves_fragments({}));
}

TEST_CASE("initialisation parts are bounded, kept while they are used, and never shared",
          "[front][init]") {
    TimePoint now{};
    const std::string part = init_part('a', 1000);
    InitParts parts([&] { return now; }, 2 * (part.size() + 600));
    REQUIRE(parts.keep({"acme"}, {"cam"}, bytes_of(part)));
    CHECK(parts.find({"other"}, {"cam"}) == nullptr);
    REQUIRE(parts.keep({"other"}, {"cam"}, bytes_of(init_part('b', 1000))));
    CHECK(std::ranges::equal(*parts.find({"acme"}, {"cam"}), bytes_of(part)));

    // Both were used a moment ago: a third one has no room, another version of one has.
    CHECK_FALSE(parts.keep({"acme"}, {"two"}, bytes_of(part)));
    CHECK(parts.keep({"acme"}, {"cam"}, bytes_of(init_part('c', 1000))));
    now += kInitInUse / 2;
    CHECK(parts.find({"acme"}, {"cam"}) != nullptr);
    now += kInitInUse / 2 + std::chrono::seconds(1);
    CHECK(parts.keep({"acme"}, {"two"}, bytes_of(part)));
    CHECK(parts.find({"other"}, {"cam"}) == nullptr);  // it was used longest ago
    CHECK(parts.find({"acme"}, {"cam"}) != nullptr);

    now += kInitKept + std::chrono::seconds(1);
    CHECK(parts.find({"acme"}, {"cam"}) == nullptr);
}

namespace {

// Remembers what it is told to, as durably as it is told to.
struct FakeMemory {
    std::map<std::string, InitPart> parts;  // by stream
    int saves = 0;
    bool broken = false;

    InitMemory memory() {
        return {[this](const AccountId&, const StreamName& stream, InitPart bytes,
                       const InitMemory::Saved& saved) {
                    ++saves;
                    if (!broken)
                        parts[stream.value] = std::move(bytes);
                    saved(!broken);
                },
                [this](const AccountId&, const StreamName& stream) { parts.erase(stream.value); }};
    }
    bool make_durable(InitParts& inits, const StreamName& stream) {
        bool durable = false;
        inits.make_durable({"acme"}, stream, [&durable](bool told) { durable = told; });
        return durable;
    }
};

}  // namespace

TEST_CASE(
    "an initialisation part is durable when that is said, and written down no more than needed",
    "[front][init]") {
    TimePoint now{};
    FakeMemory disk;
    const auto parts = std::make_shared<InitParts>([&] { return now; }, 1 << 20, disk.memory());
    REQUIRE(parts->keep({"acme"}, {"cam"}, bytes_of(init_part('a'))));
    CHECK(disk.saves == 0);  // at the head of a segment: the next one may bring its own

    disk.broken = true;
    CHECK_FALSE(disk.make_durable(*parts, {"cam"}));
    disk.broken = false;
    CHECK(disk.make_durable(*parts, {"cam"}));
    CHECK(std::ranges::equal(*disk.parts.at("cam"), bytes_of(init_part('a'))));
    CHECK(disk.make_durable(*parts, {"cam"}));
    CHECK(parts->find({"acme"}, {"cam"}) != nullptr);
    CHECK(disk.saves == 2);

    now += kInitWrittenEvery + std::chrono::seconds(1);
    CHECK(parts->find({"acme"}, {"cam"}) != nullptr);
    CHECK(parts->find({"acme"}, {"cam"}) != nullptr);
    CHECK(disk.saves == 3);  // in use: it must not look forgotten

    // Another one: the old one is of no use to anybody, whether or not the new one is needed.
    REQUIRE(parts->keep({"acme"}, {"cam"}, bytes_of(init_part('b'))));
    CHECK(disk.parts.empty());
    CHECK(parts->find({"acme"}, {"cam"}) != nullptr);
    CHECK(std::ranges::equal(*disk.parts.at("cam"), bytes_of(init_part('b'))));
}

TEST_CASE("initialisation parts from before a restart serve as if nothing had happened",
          "[front][init]") {
    TimePoint now{};
    FakeMemory disk;
    const auto parts = std::make_shared<InitParts>([&] { return now; },
                                                   2 * (init_part().size() + 600), disk.memory());
    parts->restore({"acme"}, {"cam"}, bytes_of(init_part('a')), std::chrono::minutes(5));
    parts->restore({"acme"}, {"old"}, bytes_of(init_part('a')), std::chrono::hours(23));
    parts->restore({"acme"}, {"none"}, bytes_of(init_part('a')), std::chrono::hours(23));
    CHECK(parts->find({"acme"}, {"none"}) == nullptr);  // more than there may be
    CHECK(std::ranges::equal(*parts->find({"acme"}, {"cam"}), bytes_of(init_part('a'))));
    CHECK(disk.saves == 0);
    now += std::chrono::hours(2);
    CHECK(parts->find({"acme"}, {"old"}) == nullptr);
}

TEST_CASE("an upload of an initialisation part is answered when it is durable",
          "[front][init][ingest]") {
    FakeMemory disk;
    FrontFixture fixture({}, {}, PlaybackAccess::everybody, AuthMode::none, {}, disk.memory());
    const auto name = GENERATE("init.mp4", "init-stream0.m4s");
    disk.broken = true;
    const auto refused = fixture.call("PUT", std::string("/live/cam/") + name, init_part());
    CHECK(refused.status == 503);
    CHECK(FrontFixture::code_of(refused) == "StorageUnavailable");
    disk.broken = false;
    CHECK(fixture.call("PUT", std::string("/live/cam/") + name, init_part()).status == 200);
    CHECK(disk.parts.contains("cam"));
}

TEST_CASE("a fragment is put behind the initialisation part that came before it",
          "[front][init][ingest]") {
    FrontFixture fixture;
    const std::string init = init_part('a', 300);
    const auto kept = fixture.call("PUT", "/live/cam/init.mp4", init);
    REQUIRE(kept.status == 200);
    CHECK(nlohmann::json::parse(kept.body) ==
          nlohmann::json{{"stream", "cam"}, {"init_bytes", init.size()}});
    CHECK(fixture.begun() == 0);

    const std::string body = fragment('x', 300'000);  // more than one block
    REQUIRE(fixture.call("PUT", "/live/cam/7.m4s", body).status == 200);
    CHECK(finished_text(fixture, 0) == init + body);
    const auto sha = fixture.port.with([](FakePort& port) { return port.finished.at(0).sha256; });
    CHECK(sha == sha256_of(bytes_of(init + body)));
    // What was offered to be sent on early begins with the same bytes.
    const auto pieces =
        fixture.port.with([](FakePort& port) { return port.arriving.begin()->second->take(); });
    std::string sent;
    for (const Slice& piece : pieces)
        sent.append(reinterpret_cast<const char*>(piece.bytes.data()), piece.bytes.size());
    CHECK(sent == init + body);
}

TEST_CASE("the source restarts with another initialisation part", "[front][init][ingest]") {
    FrontFixture fixture;
    REQUIRE(fixture.call("PUT", "/live/cam/init.mp4", init_part('a')).status == 200);
    REQUIRE(fixture.call("PUT", "/live/cam/1.m4s", fragment('x')).status == 200);
    REQUIRE(fixture.call("PUT", "/live/cam/init.mp4", init_part('b')).status == 200);
    REQUIRE(fixture.call("PUT", "/live/cam/1.m4s", fragment('x')).status == 200);
    CHECK(finished_text(fixture, 0) == init_part('a') + fragment('x'));
    CHECK(finished_text(fixture, 1) == init_part('b') + fragment('x'));
}

TEST_CASE("a segment that brings its initialisation part serves the fragments after it",
          "[front][init][ingest]") {
    FrontFixture fixture;
    const std::string first = init_part() + fragment('x');
    REQUIRE(fixture.call("PUT", "/live/cam/1.mp4", first).status == 200);
    REQUIRE(fixture.call("PUT", "/live/cam/2.m4s", fragment('y')).status == 200);
    CHECK(finished_text(fixture, 0) == first);
    CHECK(finished_text(fixture, 1) == init_part() + fragment('y'));
    // The moov of a whole file describes that file.
    const std::string whole = box("ftyp") + box("moov", box("mvhd")) + box("mdat", "samples");
    REQUIRE(fixture.call("PUT", "/live/other/1.mp4", whole).status == 200);
    CHECK(fixture.call("PUT", "/live/other/2.m4s", fragment('y')).status == 422);
}

TEST_CASE("an initialisation part with a number in its name is none the less no segment",
          "[front][init][ingest]") {
    FrontFixture fixture;
    REQUIRE(fixture.call("PUT", "/live/cam/init-stream0.m4s", init_part()).status == 200);
    CHECK(fixture.port.with([](FakePort& port) { return port.aborted.size(); }) == 1);
    REQUIRE(fixture.call("PUT", "/live/cam/chunk-stream0-00001.m4s", fragment('x')).status == 200);
    CHECK(finished_text(fixture, 0) == init_part() + fragment('x'));
}

TEST_CASE("an index that serves no fragments is a segment like any other, for an engine to judge",
          "[front][init][ingest]") {
    FrontFixture fixture;
    const auto body = GENERATE(as<std::string>{}, box("ftyp") + box("moov", box("mvhd")),
                               init_part('a', kInitBytesMax));
    REQUIRE(fixture.call("PUT", "/live/cam/3.mp4", body).status == 200);
    CHECK(finished_text(fixture, 0) == body);
}

TEST_CASE("a fragment whose initialisation part nobody sent is refused and says what to send",
          "[front][init][ingest]") {
    FrontFixture fixture;
    REQUIRE(fixture.call("PUT", "/live/other/init.mp4", init_part()).status == 200);
    const auto response = fixture.call("PUT", "/live/cam/7.m4s", fragment('x'));
    CHECK(response.status == 422);
    CHECK(FrontFixture::code_of(response) == "BadSegment");
    CHECK(response.body.find("(init.mp4)") != std::string::npos);
    CHECK(fixture.port.with([](FakePort& port) { return port.aborted.size(); }) == 1);
    CHECK(fixture.port.with([](FakePort& port) { return port.finished.empty(); }));
}

TEST_CASE("a fragment that overtakes its initialisation part is put behind it at its end",
          "[front][init][ingest]") {
    FrontFixture fixture;
    const std::string body = fragment('x');
    const std::string endpoint = fixture.front->local_endpoint();
    RawClient client(
        static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
    client.send("PUT /live/cam/7.m4s HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body.substr(0, 100));
    REQUIRE(eventually([&] { return fixture.pool->bytes_in_use() > 0; }));
    REQUIRE(fixture.call("PUT", "/live/cam/init.mp4", init_part()).status == 200);
    client.send(body.substr(100));
    CHECK(client.read_to("\r\n").starts_with("HTTP/1.1 200"));
    CHECK(finished_text(fixture, 0) == init_part() + body);
    CHECK(fixture.port.with([](FakePort& port) { return port.finished.at(0).sha256; }) ==
          sha256_of(bytes_of(init_part() + body)));
}

TEST_CASE("what has no number and is no initialisation part is a bad request",
          "[front][init][ingest]") {
    FrontFixture fixture;
    const auto body = GENERATE(as<std::string>{}, std::string(), "text", ts_bytes(3), fragment('x'),
                               init_part() + fragment('x'), box("ftyp") + box("moov", box("mvhd")),
                               init_part().substr(0, 30), box("moov", box("mvex")),
                               init_part('a', kInitBytesMax));
    const auto response = fixture.call("PUT", "/live/cam/init.mp4", body);
    CHECK(response.status == 400);
    CHECK(FrontFixture::code_of(response) == "BadRequest");
    CHECK(fixture.call("PUT", "/live/cam/7.m4s", fragment('x')).status == 422);
}
