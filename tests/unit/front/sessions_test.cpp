#include "tests/unit/front/fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

nlohmann::json open(FrontFixture& fixture, const std::string& document) {
    const auto response = fixture.call("POST", "/sessions", document);
    REQUIRE(response.status == 201);
    return nlohmann::json::parse(response.body);
}

http::Headers bearer(const nlohmann::json& session) {
    return {{"Authorization", "Bearer " + session["token"].get<std::string>()}};
}

}  // namespace

TEST_CASE("a session is opened with id, token, URLs and renditions", "[front][sessions]") {
    FrontFixture fixture;
    const auto session = open(fixture, R"({"stream":"cam"})");
    CHECK(session["session_id"].get<std::string>().size() == 32);
    CHECK(session["token"].get<std::string>().starts_with("mrs1_"));
    CHECK(session["expires_at"] == "2023-11-15T22:13:20Z");
    CHECK(session["upload_url"] == fixture.front->public_url() + "/live/cam");
    CHECK(session["playback_url"] == fixture.front->public_url() + "/stream/cam.m3u8");
    CHECK(session["renditions"] == nlohmann::json{"P240"});
}

TEST_CASE("its token authorises pushes to its stream and to no other", "[front][sessions]") {
    FrontFixture fixture;
    const auto session = open(fixture, R"({"stream":"cam"})");
    CHECK(fixture.call("PUT", "/live/cam/1.ts", ts_bytes(9), bearer(session)).status == 200);
    CHECK(fixture.port.with([](FakePort& port) { return port.begun.at(0).session; })->value ==
          session["session_id"]);
    CHECK(
        fixture
            .call("PUT", "/live/cam/1.ts?token=" + session["token"].get<std::string>(), ts_bytes(9))
            .status == 200);
    CHECK(FrontFixture::code_of(fixture.call("PUT", "/live/other/1.ts", ts_bytes(9),
                                             bearer(session))) == "Forbidden");
    fixture.wall_ms += (24 * 3600 + 60) * 1000;  // a minute for clocks that differ
    const auto late = fixture.call("PUT", "/live/cam/1.ts", ts_bytes(9), bearer(session));
    CHECK(late.status == 401);
    CHECK(late.headers.find("WWW-Authenticate") == "Bearer");
    CHECK(late.body.find("expired") != std::string::npos);
}

TEST_CASE("the token of a session opens it again under its id", "[front][sessions]") {
    FrontFixture fixture;
    const auto session = open(fixture, R"({"stream":"cam"})");
    const auto again = fixture.call("POST", "/sessions", R"({"stream":"cam"})", bearer(session));
    CHECK(again.status == 201);
    CHECK(nlohmann::json::parse(again.body)["session_id"] == session["session_id"]);
    CHECK(fixture.call("POST", "/sessions", R"({"stream":"other"})", bearer(session)).status ==
          403);
}

TEST_CASE("a live stream is a conflict that names its session", "[front][sessions]") {
    FrontFixture fixture;
    fixture.port.set([](FakePort& port) { port.outcome = SessionExists{{std::string(32, 'f')}}; });
    const auto response = fixture.call("POST", "/sessions", R"({"stream":"cam"})");
    CHECK(response.status == 409);
    CHECK(FrontFixture::code_of(response) == "Conflict");
    CHECK(nlohmann::json::parse(response.body)["session_id"] == std::string(32, 'f'));
}

TEST_CASE("all mistakes of a session's document are reported at once", "[front][sessions]") {
    FrontFixture fixture;
    const auto response = fixture.call(
        "POST", "/sessions",
        R"({"stream":"a/b","colour":1,"ladder":[{"name":"x","height":240,"bitrate":1,"fps":"y"},{"name":"x y","height":1,"bitrate":1}]})");
    CHECK(response.status == 400);
    CHECK(nlohmann::json::parse(response.body)["errors"].size() >= 4);
    for (const auto* broken :
         {"", "{", "[]", "\"x\"", "{}", "{\"stream\":7}", "{\"stream\":\"a\",\"stream\":\"b\"}"})
        CHECK(FrontFixture::code_of(fixture.call("POST", "/sessions", broken)) == "BadRequest");
    CHECK(fixture.call("POST", "/sessions", std::string(70'000, ' ')).status == 413);
    CHECK(fixture.port.with([](FakePort& port) { return port.sessions.empty(); }));
}

TEST_CASE("a session is ended by its id, and by nobody else's token", "[front][sessions]") {
    FrontFixture fixture;
    const auto session = open(fixture, R"({"stream":"cam"})");
    const std::string id = session["session_id"];
    CHECK(fixture.call("DELETE", "/sessions/" + std::string(32, 'b'), "", bearer(session)).status ==
          403);
    CHECK(fixture.call("DELETE", "/sessions/" + id, "", bearer(session)).status == 204);
    CHECK(fixture.call("DELETE", "/sessions/" + id).status == 204);
    CHECK(fixture.call("DELETE", "/sessions/nonsense").status == 404);
    fixture.port.set([](FakePort& port) {
        port.refusal = Refusal{ApiCode::not_found, "no such session", {}};
    });
    CHECK(FrontFixture::code_of(fixture.call("DELETE", "/sessions/" + id)) == "NotFound");
    CHECK(fixture.port.with([](FakePort& port) { return port.ended_sessions.size(); }) == 3);
}
