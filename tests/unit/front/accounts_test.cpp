#include "orchestrator/access/account_key.h"
#include "tests/unit/front/fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

http::Headers bearer(const std::string& secret) {
    return {{"Authorization", "Bearer " + secret}};
}

// A front with --auth accounts and two accounts.
struct Guarded : FrontFixture {
    Guarded() : FrontFixture({}, {}, PlaybackAccess::token, AuthMode::accounts) {}
    std::string account(const std::string& name, std::vector<std::string> may = {}) {
        const NewAccountKey made = make_account_key();
        accounts->put({{name}, made.id, made.hash, {}, std::move(may), {}});
        return made.text;
    }
    int push(const std::string& stream, const http::Headers& headers, const char* query = "") {
        const auto answer = call("PUT", "/live/" + stream + "/1.ts" + query, ts_bytes(9), headers);
        if (answer.status == 401)
            CHECK(answer.headers.find("WWW-Authenticate") == "Bearer");
        return answer.status;
    }
    nlohmann::json open(const std::string& stream, const std::string& secret) {
        const auto answer =
            call("POST", "/sessions", R"({"stream":")" + stream + "\"}", bearer(secret));
        REQUIRE(answer.status == 201);
        return nlohmann::json::parse(answer.body);
    }
};

}  // namespace

TEST_CASE("with --auth accounts nothing is taken without a good key", "[front][accounts]") {
    Guarded front;
    const std::string key = front.account("acme");
    CHECK(front.push("cam", {}) == 401);
    CHECK(front.push("cam", bearer(make_account_key().text)) == 401);
    CHECK(front.push("cam", bearer("")) == 401);
    CHECK(front.push("cam", {{"Authorization", "Basic eDp5"}}) == 401);
    CHECK(front.call("POST", "/sessions", R"({"stream":"cam"})").status == 401);
    CHECK(front.call("DELETE", "/sessions/00112233445566778899aabbccddeeff").status == 401);
    CHECK(front.call("PUT", "/live/cam/index.m3u8", "#EXTM3U").status == 401);
    CHECK(front.call("DELETE", "/live/cam/1.ts").status == 401);
    CHECK(front.begun() == 0);
    CHECK(front.push("cam", bearer(key)) == 200);
    CHECK(front.push("cam", {}, ("?token=" + key).c_str()) == 200);
    CHECK(front.call("PUT", "/live/cam/index.m3u8", "#EXTM3U", bearer(key)).status == 200);
    CHECK(front.port.with([](FakePort& port) { return port.begun.at(0).account; }) ==
          AccountId{"acme"});
    CHECK(front.call("GET", "/healthz").status == 200);
}

TEST_CASE("an account keeps to its streams", "[front][accounts]") {
    Guarded front;
    const std::string key = front.account("acme", {"acme-*"});
    CHECK(front.push("acme-1", bearer(key)) == 200);
    CHECK(front.push("cam", bearer(key)) == 403);
    CHECK(front.call("POST", "/sessions", R"({"stream":"cam"})", bearer(key)).status == 403);
    CHECK(front.begun() == 1);
}

TEST_CASE("a session's token pushes for its account until the account is removed",
          "[front][accounts]") {
    Guarded front;
    const std::string key = front.account("acme");
    const auto session = front.open("cam", key);
    const std::string token = session["token"];
    CHECK(front.push("cam", bearer(token)) == 200);
    CHECK(front.port.with([](FakePort& port) { return port.begun.at(0).account; }) ==
          AccountId{"acme"});
    CHECK(front.push("other", bearer(token)) == 403);
    front.streams->opened({"cam"}, {"s"}, {"acme"});
    const std::string url = session["playback_url"];
    const std::string watch = url.substr(front.front->public_url().size());
    CHECK(front.call("GET", watch).status == 404);  // let in; nothing is listed yet
    front.accounts->remove({"acme"});
    CHECK(front.push("cam", bearer(token)) == 401);
    CHECK(front.push("cam", bearer(key)) == 401);
    CHECK(front.call("GET", watch).status == 401);
    front.account("acme");  // another one of that name
    CHECK(front.push("cam", bearer(token)) == 401);
    CHECK(front.call("GET", watch).status == 401);
}

TEST_CASE("a session is ended by its token or by a key of its owner", "[front][accounts]") {
    Guarded front;
    const std::string key = front.account("acme");
    const auto session = front.open("cam", key);
    const std::string path = "/sessions/" + session["session_id"].get<std::string>();
    const std::string other = front.open("cam2", key)["token"];
    CHECK(front.call("DELETE", path, {}, bearer(other)).status == 403);
    CHECK(front.call("DELETE", path, {}, bearer(key)).status == 204);
    CHECK(front.call("DELETE", path, {}, bearer(session["token"])).status == 204);
    CHECK(front.port.with([](FakePort& port) { return port.enders; }) ==
          std::vector<std::optional<AccountId>>(2, AccountId{"acme"}));
}

TEST_CASE("the conflict on one's own live stream says where to watch it", "[front][accounts]") {
    Guarded front;
    const std::string key = front.account("acme");
    front.port.set([](FakePort& port) { port.outcome = SessionExists{{"abc"}}; });
    const auto answer = front.call("POST", "/sessions", R"({"stream":"cam"})", bearer(key));
    CHECK(answer.status == 409);
    const auto problem = nlohmann::json::parse(answer.body);
    CHECK(problem["session_id"] == "abc");
    CHECK(problem["playback_url"].get<std::string>().find("/stream/cam.m3u8?token=mrp1_") !=
          std::string::npos);
}
