#include "tests/unit/http/fixture.h"

using namespace millrace;
using namespace millrace::test;

TEST_CASE("a streamed body arrives piece by piece and ends", "[http][stream]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    client.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    auto stream = fixture.take_held()->respond_stream(
        http::text_response(200, "text/event-stream", "first\n"));
    CHECK(client.read_to("first").find("Transfer-Encoding: chunked") != std::string::npos);
    CHECK(stream->write("data: 1\n\n"));
    CHECK(client.read_to("data: 1").find("9\r\ndata: 1\n\n\r\n") != std::string::npos);
    stream.reset();
    CHECK(client.read_to("0\r\n\r\n").ends_with("0\r\n\r\n"));
}

TEST_CASE("a subscriber that leaves is noticed", "[http][stream]") {
    Fixture fixture;
    auto client = std::make_unique<RawClient>(fixture.server->port());
    client->send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto exchange = fixture.take_held();
    std::atomic<bool> gone{false};
    exchange->on_gone([&] { gone = true; });
    const auto stream = exchange->respond_stream(http::text_response(200, "text/event-stream", ""));
    client.reset();
    CHECK(eventually([&] { return !stream->write("x"); }));
    CHECK(gone);
    CHECK(eventually([&] { return fixture.server->counts().connections == 0; }));
}

TEST_CASE("a subscriber that falls behind loses pieces, never memory", "[http][stream]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    client.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto stream =
        fixture.take_held()->respond_stream(http::text_response(200, "text/event-stream", ""));
    const std::string piece(60'000, 'x');
    CHECK(eventually([&] { return !stream->write(piece); }));
    CHECK(stream->write("y") != stream->write(piece));
}

TEST_CASE("draining ends streams", "[http][stream]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    client.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto stream =
        fixture.take_held()->respond_stream(http::text_response(200, "text/event-stream", "a"));
    CHECK(client.read_to("a\r\n").find("chunked") != std::string::npos);
    fixture.server->begin_drain();
    CHECK(client.read_all().ends_with("0\r\n\r\n"));
}

TEST_CASE("HTTP/1.0 gets a streamed body until the connection closes", "[http][stream]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    client.send("GET /hold HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    auto stream = fixture.take_held()->respond_stream(http::text_response(200, "text/plain", "a"));
    CHECK(stream->write("b"));
    stream->end();
    const std::string answer = client.read_all();
    CHECK(answer.ends_with("\r\n\r\nab"));
    CHECK(answer.find("chunked") == std::string::npos);
}
