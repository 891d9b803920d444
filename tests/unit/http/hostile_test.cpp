#include "tests/unit/http/fixture.h"

using namespace millrace;
using namespace millrace::test;

TEST_CASE("malformed requests are answered 400 as a problem, and closed", "[http][hostile]") {
    Fixture fixture;
    const auto request = GENERATE(
        as<std::string>{}, "nonsense\r\n\r\n", "GET /hello\r\n\r\n",
        "GET /hello HTTP/3.9\r\nHost: x\r\n\r\n", "GET /hello HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET hello HTTP/1.1\r\nHost: x\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: x\r\nX: a\r\n\tContent-Length: 5\r\n\r\n",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: "
        "3\r\n\r\n0\r\n\r\n",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "PUT /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n");
    INFO(request);
    RawClient client(fixture.server->port());
    client.send(request);
    client.shut_sending();
    const std::string answer = client.read_all();
    CHECK(answer.starts_with("HTTP/1.1 400 "));
    CHECK(answer.find("application/problem+json") != std::string::npos);
    CHECK(answer.find("\"BadRequest\"") != std::string::npos);
    CHECK(client.ended());
    CHECK(fixture.last_error().value_or(ErrorKind::bad_input) == ErrorKind::bad_input);
}

TEST_CASE("a header beyond its limit is refused, however it is made large", "[http][hostile]") {
    Fixture fixture;
    std::string many;
    for (int i = 0; i < 100'000; ++i)
        many += "A: b\r\n";
    const auto large = GENERATE_COPY(
        as<std::string>{},
        "GET /hello HTTP/1.1\r\nHost: x\r\nX: " + std::string(17'000, 'x') + "\r\n\r\n",
        "GET /" + std::string(17'000, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n",
        std::string(17'000, 'x'), "GET /hello HTTP/1.1\r\nHost: x\r\n" + many + "\r\n");
    RawClient client(fixture.server->port());
    client.send(large);
    CHECK(client.read_to("\r\n\r\n").starts_with("HTTP/1.1 400"));
}

TEST_CASE("a header just below the limit is served", "[http][hostile]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    client.send("GET /hello HTTP/1.1\r\nHost: x\r\nX: " + std::string(16'000, 'x') + "\r\n\r\n");
    CHECK(client.read_answer().ends_with("hello\n"));
}

TEST_CASE("a header that drips is cut off at its limit however often a byte comes",
          "[http][hostile]") {
    http::ServerOptions options;
    options.limits.header_time = std::chrono::milliseconds(200);
    Fixture fixture(options);
    RawClient client(fixture.server->port());
    const auto begun = Clock::now();
    client.send("GET /hello HTTP/1.1\r\nHost: x\r\n");
    while (client.read_all(std::chrono::milliseconds(20)).empty() && !client.ended() &&
           Clock::now() - begun < kPatience)
        client.send("X");
    CHECK(client.read_to("\r\n\r\n").starts_with("HTTP/1.1 408"));
    CHECK(Clock::now() - begun < std::chrono::seconds(3));
}

TEST_CASE("a client that says nothing is closed within the header's time", "[http][hostile]") {
    http::ServerOptions options;
    options.limits.header_time = std::chrono::milliseconds(100);
    Fixture fixture(options);
    RawClient client(fixture.server->port());
    CHECK(client.read_all().empty());
    CHECK(client.ended());
}

TEST_CASE("a client that does not read its answer is let go", "[http][hostile]") {
    http::ServerOptions options;
    options.limits.body_pause = std::chrono::milliseconds(200);
    Fixture fixture(options);
    RawClient client(fixture.server->port());
    client.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    http::Response response;
    response.body.emplace_back(make_payload(fixture.pool, std::vector<std::uint8_t>(30'000'000)));
    const auto exchange = fixture.take_held();
    exchange->respond(std::move(response));
    CHECK(eventually([&] { return fixture.server->counts().connections == 0; }));
    CHECK(eventually([&] { return fixture.pool->bytes_in_use() == 0; }));
}

TEST_CASE("a slow crowd costs others nothing", "[http][hostile]") {
    Fixture fixture;
    std::vector<std::unique_ptr<RawClient>> crowd;
    for (int i = 0; i < 200; ++i) {
        crowd.push_back(std::make_unique<RawClient>(fixture.server->port()));
        crowd.back()->send("GET /hello HTTP/1.1\r\nHo");
    }
    const auto answer =
        http::fetch({.url = fixture.url("/hello"), .timeout = std::chrono::seconds(2)});
    REQUIRE(answer);
    CHECK(answer->body == "hello\n");
}

TEST_CASE("line breaks in an answer's field cannot make another field", "[http][hostile]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    client.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    http::Response response = http::text_response(200, "text/plain", "x");
    response.headers.set("Location", "/a\r\nSet-Cookie: b");
    fixture.take_held()->respond(std::move(response));
    CHECK(client.read_answer().find("\r\nSet-Cookie") == std::string::npos);
}

TEST_CASE("one address may not take all connections", "[http][hostile]") {
    http::ServerOptions options;
    options.limits.connections_per_address = 2;
    Fixture fixture(options);
    {
        RawClient a(fixture.server->port()), b(fixture.server->port());
        REQUIRE(eventually([&] { return fixture.server->counts().connections == 2; }));
        RawClient c(fixture.server->port());
        CHECK(c.read_to("\r\n\r\n").starts_with("HTTP/1.1 503"));
    }
    REQUIRE(eventually([&] { return fixture.server->counts().connections == 0; }));
    CHECK(http::fetch({.url = fixture.url("/hello")})->status == 200);
}

TEST_CASE("a body that drips is cut off at its time however often a byte comes",
          "[http][hostile]") {
    http::ServerOptions options;
    options.limits.body_time = std::chrono::milliseconds(300);
    Fixture fixture(options);
    RawClient client(fixture.server->port());
    const auto begun = Clock::now();
    client.send("PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
    while (client.read_all(std::chrono::milliseconds(20)).empty() && !client.ended() &&
           Clock::now() - begun < kPatience)
        client.send("x");
    CHECK(client.read_to("\r\n\r\n").starts_with("HTTP/1.1 408"));
    CHECK(fixture.last_error() == ErrorKind::timeout);
}
