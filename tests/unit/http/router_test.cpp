#include "common/http/router.h"

#include "tests/unit/http/fixture.h"

using namespace millrace;
using namespace millrace::test;

TEST_CASE("an unknown path is 404, a known one with another method 405 with Allow",
          "[http][router]") {
    Fixture fixture;
    const auto nothing = http::fetch({.url = fixture.url("/nothing")});
    REQUIRE(nothing);
    CHECK(nothing->status == 404);
    CHECK(nothing->headers.find("content-type") == "application/problem+json");
    const auto wrong = http::fetch({.method = "DELETE", .url = fixture.url("/hold")});
    REQUIRE(wrong);
    CHECK(wrong->status == 405);
    CHECK(wrong->headers.find("Allow") == "PUT, GET, HEAD");
    CHECK(wrong->body.find("\"MethodNotAllowed\"") != std::string::npos);
}

TEST_CASE("HEAD gets the head of GET and no body", "[http][router]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    client.send(
        "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\nConnection: "
        "close\r\n\r\n");
    const std::string text = client.read_all();
    const std::size_t second = text.find("HTTP/1.1 200", 5);
    REQUIRE(second != std::string::npos);
    const std::string head = text.substr(0, second);
    CHECK(head.find("Content-Length: 6\r\n") != std::string::npos);
    CHECK(head.ends_with("\r\n\r\n"));
    CHECK(text.ends_with("hello\n"));
}

TEST_CASE("parameters are whole decoded segments", "[http][router]") {
    Fixture fixture;
    fixture.router.on(
        http::Method::get, "/a/{one}/{two}", [](const auto& exchange, const auto& path) {
            exchange->respond(http::text_response(
                200, "text/plain", path["one"] + "|" + path["two"] + "|" + path["x"]));
        });
    CHECK(http::fetch({.url = fixture.url("/a/b%2Fc/d%20e")})->body == "b/c|d e|");
    CHECK(http::fetch({.url = fixture.url("/a/b/c/d")})->status == 404);
    CHECK(http::fetch({.url = fixture.url("/a/b/c/")})->status == 404);
}
