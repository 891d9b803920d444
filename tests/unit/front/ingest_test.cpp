#include "common/runtime/sha256.h"
#include "tests/unit/front/fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

const std::string kTs = ts_bytes(50);

Sha256 hash(const std::string& text) {
    return sha256_of({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

}  // namespace

TEST_CASE("a segment is handed to the loop with what its head said, and answered as JSON",
          "[front][ingest]") {
    FrontFixture fixture;
    const auto method = GENERATE(as<std::string>{}, "PUT", "POST");
    const auto response =
        fixture.call(method, "/live/cam/idx00007.ts", kTs, {{"Content-Duration", "2000"}});
    CHECK(response.status == 200);
    CHECK(nlohmann::json::parse(response.body)["renditions"].size() == 2);
    const auto seen = fixture.port.with(
        [](FakePort& port) { return std::pair(port.begun.at(0), port.finished.at(0)); });
    CHECK(seen.first.stream.value == "cam");
    CHECK(seen.first.seq == 7);
    CHECK_FALSE(seen.first.session);
    CHECK(seen.first.fresh_id.value.size() == 32);
    CHECK(seen.first.content_length == kTs.size());
    CHECK(seen.first.content_duration == std::chrono::seconds(2));
    CHECK_FALSE(seen.first.ladder);
    CHECK(seen.second.body->size() == kTs.size());
    CHECK(seen.second.sha256 == hash(kTs));
}

TEST_CASE("Accept: multipart/mixed brings the renditions themselves", "[front][ingest]") {
    FrontFixture fixture;
    const auto response =
        fixture.call("PUT", "/live/cam/7.ts", kTs, {{"Accept", "multipart/mixed"}});
    CHECK(response.status == 200);
    CHECK(response.headers.find("content-type")->starts_with("multipart/mixed; boundary="));
    CHECK(response.body.find("Rendition-Name: P360") != std::string::npos);
    CHECK(response.body.find("P240 7\r\n--") != std::string::npos);
}

TEST_CASE("what the head says wrong is refused before the loop hears of it", "[front][ingest]") {
    FrontFixture fixture;
    struct Row {
        std::string path;
        http::Headers headers;
        int status;
        std::string code;
    };
    const std::string ladder = "Livepeer-Transcode-Configuration";
    const auto row = GENERATE_COPY(values<Row>(
        {{"/live/cam/7.jpg", {}, 415, "UnsupportedMediaType"},
         {"/live/cam/7", {}, 415, "UnsupportedMediaType"},
         {"/live/cam/abc.ts", {}, 400, "BadRequest"},
         {"/live/cam/99999999999999999999.ts", {}, 400, "BadRequest"},
         {"/live/c%20m/7.ts", {}, 400, "BadRequest"},
         {"/live/%2e%2e/7.ts", {}, 400, "BadRequest"},
         {"/live/a%2Fb/7.ts", {}, 400, "BadRequest"},
         {"/live/cam/7.ts", {{"Content-Duration", "two"}}, 400, "BadRequest"},
         {"/live/cam/7.ts", {{"Content-Duration", "-5"}}, 400, "BadRequest"},
         {"/live/cam/7.ts", {{ladder, "not json"}}, 400, "BadRequest"},
         {"/live/cam/7.ts", {{"Authorization", "Bearer nonsense"}}, 401, "Unauthorized"},
         {"/live/cam/7.ts", {{"Authorization", "Basic YTpi"}}, 401, "Unauthorized"},
         {"/live/cam/7.ts?token=mrs1_AAAA", {}, 401, "Unauthorized"}}));
    INFO(row.path << " -> " << row.code);
    const auto response = fixture.call("PUT", row.path, kTs, row.headers);
    CHECK(response.status == row.status);
    CHECK(FrontFixture::code_of(response) == row.code);
    CHECK(fixture.begun() == 0);
}

TEST_CASE("every mistake of a ladder is named", "[front][ingest]") {
    FrontFixture fixture;
    const auto response = fixture.call(
        "PUT", "/live/cam/7.ts", kTs,
        {{"Livepeer-Transcode-Configuration",
          R"({"profiles":[{"name":"source","width":"wide","height":240,"bitrate":-4},{"name":"b","height":1,"bitrate":1,"fps":"x"}]})"}});
    CHECK(response.status == 400);
    CHECK(nlohmann::json::parse(response.body)["errors"].size() >= 3);
    const auto unsupported = fixture.call(
        "PUT", "/live/cam/7.ts", kTs,
        {{"Livepeer-Transcode-Configuration",
          R"({"profiles":[{"name":"a","width":426,"height":240,"bitrate":600000,"profile":"H264High","colorDepth":10},{"name":"b","width":426,"height":240,"bitrate":600000,"profile":"H264Main","chromaFormat":1}]})"}});
    CHECK(unsupported.status == 400);
    const auto errors = nlohmann::json::parse(unsupported.body)["errors"];
    INFO(unsupported.body);
    REQUIRE(errors.size() == 2);
    CHECK(errors[0]["path"].get<std::string>().find("profiles[0].profile") != std::string::npos);
    CHECK(errors[1]["path"].get<std::string>().find("profiles[1].profile") != std::string::npos);
}

TEST_CASE("a good ladder in the header reaches the loop", "[front][ingest]") {
    FrontFixture fixture;
    const auto response = fixture.call(
        "PUT", "/live/cam/7.ts", kTs,
        {{"Livepeer-Transcode-Configuration",
          R"({"manifestID":"x","profiles":[{"name":"low","width":426,"height":240,"bitrate":600000}]})"}});
    CHECK(response.status == 200);
    const auto ladder = fixture.port.with([](FakePort& port) { return port.begun.at(0).ladder; });
    REQUIRE(ladder);
    CHECK(ladder->at(0).name == "low");
}

TEST_CASE("refusals of the loop carry code and Retry-After, before the body is read",
          "[front][ingest]") {
    FrontFixture fixture;
    fixture.port.set([](FakePort& port) {
        port.refusal =
            Refusal{ApiCode::orchestrator_capped, "the operator's limit", std::chrono::seconds(4)};
    });
    RawClient client(
        fixture.front->local_endpoint().empty()
            ? 0
            : static_cast<std::uint16_t>(std::stoi(fixture.front->local_endpoint().substr(
                  fixture.front->local_endpoint().rfind(':') + 1))));
    client.send("PUT /live/cam/7.ts HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n");
    const auto begun = Clock::now();
    const std::string answer = client.read_to("}\n");
    CHECK(Clock::now() - begun < std::chrono::seconds(1));
    CHECK(answer.starts_with("HTTP/1.1 503"));
    CHECK(answer.find("Retry-After: 4\r\n") != std::string::npos);
    CHECK(answer.find("\"OrchestratorCapped\"") != std::string::npos);
    CHECK(fixture.pool->bytes_in_use() == 0);
}

TEST_CASE("a failed task is answered with its refusal", "[front][ingest]") {
    FrontFixture fixture;
    fixture.port.set([](FakePort& port) {
        port.answer =
            Refusal{ApiCode::deadline_exceeded, "every attempt failed to finish in time", {}};
    });
    const auto response = fixture.call("PUT", "/live/cam/7.ts", kTs);
    CHECK(response.status == 504);
    CHECK(FrontFixture::code_of(response) == "DeadlineExceeded");
}

TEST_CASE("text, garbage and empty bodies are 422 and leave nothing behind", "[front][ingest]") {
    FrontFixture fixture;
    const auto body = GENERATE(as<std::string>{}, std::string(), std::string("hello\n"),
                               std::string(300'000, 'x'));
    const auto response = fixture.call("PUT", "/live/cam/7.ts", body);
    CHECK(response.status == 422);
    CHECK(FrontFixture::code_of(response) == "BadSegment");
    CHECK(eventually([&] {
        return fixture.port.with(
            [](FakePort& port) { return port.aborted.size() == port.uploads; });
    }));
    CHECK(fixture.port.with([](FakePort& port) { return port.finished.empty(); }));
    CHECK(eventually([&] { return fixture.pool->bytes_in_use() == 0; }));
}

TEST_CASE("a chunked empty body is 422 too", "[front][ingest]") {
    FrontFixture fixture;
    const auto response =
        fixture.call("PUT", "/live/cam/7.ts", "", {{"Transfer-Encoding", "chunked"}});
    CHECK(response.status == 422);
    CHECK(eventually([&] {
        return fixture.port.with([](FakePort& port) { return port.aborted.size() == 1; });
    }));
}

TEST_CASE("segments too large are 413, by length at once and by chunks while counting",
          "[front][ingest]") {
    FrontFixture fixture;
    const std::string large = ts_bytes(6000);
    const bool chunked = GENERATE(true, false);
    const auto response =
        fixture.call("PUT", "/live/cam/7.ts", large,
                     chunked ? http::Headers{{"Transfer-Encoding", "chunked"}} : http::Headers{});
    CHECK(response.status == 413);
    CHECK(FrontFixture::code_of(response) == "SegmentTooLarge");
    CHECK(eventually([&] {
        return fixture.port.with(
            [](FakePort& port) { return port.aborted.size() == port.uploads; });
    }));
    CHECK(fixture.begun() == (chunked ? 1 : 0));
}

TEST_CASE("the loop may have a segment's bytes before the last of them is here",
          "[front][ingest]") {
    FrontFixture fixture;
    const std::string endpoint = fixture.front->local_endpoint();
    RawClient client(
        static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
    const std::string half = kTs.substr(0, kTs.size() / 2);
    client.send("PUT /live/cam/1.ts HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                std::to_string(kTs.size()) + "\r\n\r\n" + half);
    REQUIRE(eventually(
        [&] { return fixture.port.with([](FakePort& port) { return !port.arriving.empty(); }); }));
    const auto body =
        fixture.port.with([](FakePort& port) { return port.arriving.begin()->second; });
    std::string arrived;
    const auto take = [&] {
        for (const Slice& piece : body->take())
            arrived.append(piece.bytes.begin(), piece.bytes.end());
    };
    REQUIRE(eventually([&] {
        take();
        return arrived.size() >= half.size();
    }));
    CHECK(arrived == half);
    client.send(kTs.substr(half.size()));
    REQUIRE(eventually(
        [&] { return fixture.port.with([](FakePort& port) { return !port.finished.empty(); }); }));
    take();
    CHECK(arrived == kTs);
}

TEST_CASE("pieces of a body wait in order, and whoever listens is told once", "[front][ingest]") {
    ArrivingBody body;
    const std::vector<std::uint8_t> bytes(3 * ArrivingBody::kPieceBytes);
    const auto owner = std::make_shared<int>(1);
    const std::span all(bytes);
    int told = 0;
    body.listen([&] { ++told; });
    body.add({owner, all.first(100)});
    CHECK(told == 0);  // too little to be worth a message
    body.add({owner, all.subspan(100, ArrivingBody::kPieceBytes)});
    body.add({owner, all.subspan(100 + ArrivingBody::kPieceBytes, 5)});
    CHECK(told == 1);
    const auto taken = body.take();
    REQUIRE(taken.size() == 1);  // neighbours are one
    CHECK(taken[0].bytes.size() == ArrivingBody::kPieceBytes + 105);
    CHECK(body.take().empty());
    body.add({owner, all.first(ArrivingBody::kPieceBytes)});
    CHECK(told == 2);
    (void)body.take();
    body.listen(nullptr);
    body.add({nullptr, all});
    CHECK(told == 2);
}

TEST_CASE("an upload cut short is taken back within a second", "[front][ingest]") {
    FrontFixture fixture;
    const std::string endpoint = fixture.front->local_endpoint();
    {
        RawClient client(
            static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
        client.send("PUT /live/cam/7.ts HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n" +
                    kTs);
        REQUIRE(eventually([&] { return fixture.pool->bytes_in_use() > 0; }));
    }
    CHECK(eventually(
        [&] { return fixture.port.with([](FakePort& port) { return port.aborted.size() == 1; }); },
        std::chrono::seconds(1)));
    CHECK(fixture.pool->bytes_in_use() == 0);
}

TEST_CASE("an upload that arrived whole is carried through without its client", "[front][ingest]") {
    FrontFixture fixture;
    fixture.port.set([](FakePort& port) { port.hold = true; });
    const std::string endpoint = fixture.front->local_endpoint();
    {
        RawClient client(
            static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
        client.send(
            "PUT /live/cam/7.ts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n24b8\r\n" +
            kTs + "\r\n0\r\n\r\n");
    }
    REQUIRE(eventually([&] {
        return fixture.port.with([](FakePort& port) { return port.waiting.size() == 1; });
    }));
    fixture.port.set([](FakePort& port) { port.waiting.at(0)(port.answer); });
    CHECK(eventually([&] { return fixture.front->counts().connections == 0; }));
    CHECK(fixture.port.with([](FakePort& port) { return port.aborted.empty(); }));
}

TEST_CASE("what ffmpeg's HLS muxer sends beside segments is accepted and ignored",
          "[front][ingest]") {
    FrontFixture fixture;
    CHECK(fixture.call("PUT", "/live/cam/index.m3u8", "#EXTM3U\n").status == 200);
    CHECK(fixture.call("DELETE", "/live/cam/3.ts").status == 200);
    CHECK(fixture.begun() == 0);
}

TEST_CASE("answers that come after the front has gone harm nobody", "[front][ingest]") {
    FrontFixture fixture;
    fixture.port.set([](FakePort& port) { port.hold = true; });
    const std::string endpoint = fixture.front->local_endpoint();
    RawClient client(
        static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
    client.send("PUT /live/cam/7.ts HTTP/1.1\r\nHost: x\r\nContent-Length: 9400\r\n\r\n" + kTs);
    REQUIRE(eventually([&] {
        return fixture.port.with([](FakePort& port) { return port.waiting.size() == 1; });
    }));
    fixture.front.reset();
    fixture.port.set([](FakePort& port) {
        port.waiting.at(0)(port.answer);
        port.waiting.clear();
    });
    CHECK(client.read_all().empty());
}

TEST_CASE("healthz, unknown paths and wrong methods", "[front]") {
    FrontFixture fixture;
    CHECK(fixture.call("GET", "/healthz").body == "ok\n");
    CHECK(FrontFixture::code_of(fixture.call("GET", "/nothing")) == "NotFound");
    const auto wrong = fixture.call("GET", "/live/cam/7.ts");
    CHECK(wrong.status == 405);
    CHECK(wrong.headers.find("Allow") == "PUT, POST, DELETE");
}
