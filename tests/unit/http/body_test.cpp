#include "tests/unit/http/fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

std::string pattern(std::size_t bytes) {
    std::string text(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i)
        text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
    return text;
}

std::string chunked(const std::string& body, std::size_t piece) {
    std::string out;
    for (std::size_t at = 0; at < body.size(); at += piece) {
        const std::string part = body.substr(at, piece);
        char line[32];
        std::snprintf(line, sizeof line, "%zX\r\n", part.size());
        out += line + part + "\r\n";
    }
    return out + "0\r\n\r\n";
}

std::string put(const std::string& fields) {
    return "PUT /echo HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
}

}  // namespace

TEST_CASE("plain and chunked bodies arrive whole, and the connection serves on", "[http][body]") {
    Fixture fixture;
    const std::string body = pattern(GENERATE(1U, 1000U, 262144U, 262145U, 1000000U));
    const bool plain = GENERATE(true, false);
    RawClient client(fixture.server->port());
    for (int round = 0; round < 2; ++round) {
        if (plain)
            client.send(put("Content-Length: " + std::to_string(body.size()) + "\r\n") + body);
        else
            client.send(put("Transfer-Encoding: chunked\r\n") + chunked(body, 32 * 1024 + 1));
        const std::string answer = client.read_answer();
        CHECK(answer.starts_with("HTTP/1.1 200"));
        CHECK(answer.ends_with("<" + body + ">"));
    }
    CHECK(fixture.tapped == 2 * body.size());
    CHECK(fixture.pool->bytes_in_use() <= 2 * 1024 * 1024);
}

TEST_CASE("a body cut into single bytes is the same body", "[http][body]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    for (const char c : put("Transfer-Encoding: chunked\r\n") + chunked(pattern(40), 7))
        client.send({&c, 1});
    CHECK(client.read_answer().ends_with("<" + pattern(40) + ">"));
}

TEST_CASE("an empty body is a body", "[http][body]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    client.send(put("Content-Length: 0\r\n"));
    CHECK(client.read_answer().ends_with("<>"));
    client.send(put("Transfer-Encoding: chunked\r\n") + "0\r\n\r\n");
    CHECK(client.read_answer().ends_with("<>"));
}

TEST_CASE("Expect: 100-continue is answered when the body is wanted", "[http][body]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    client.send(put("Expect: 100-continue\r\nContent-Length: 3\r\n"));
    CHECK(client.read_to("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("abc");
    CHECK(client.read_to("<abc>").ends_with("<abc>"));
}

TEST_CASE("a refusal takes the place of 100 Continue", "[http][body]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    client.send(
        "PUT /hold HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    fixture.take_held()->respond(http::to_response({ApiCode::unauthorized, "no", {}}));
    const std::string answer = client.read_all();
    CHECK(answer.starts_with("HTTP/1.1 401"));
    CHECK(answer.find("100 Continue") == std::string::npos);
}

TEST_CASE("a body too large is refused from its length before it is sent", "[http][body]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    const auto begun = Clock::now();
    client.send(put("Expect: 100-continue\r\nContent-Length: 1048577\r\n"));
    const std::string answer = client.read_to("\r\n\r\n");
    CHECK(answer.starts_with("HTTP/1.1 413"));
    CHECK(Clock::now() - begun < std::chrono::seconds(1));
    CHECK(eventually([&] { return fixture.last_error() == ErrorKind::bad_input; }));
}

TEST_CASE("a chunked body too large is refused while it is counted", "[http][body]") {
    Fixture fixture;
    fixture.bytes_max = 100'000;
    RawClient client(fixture.server->port());
    client.send(put("Transfer-Encoding: chunked\r\n") + chunked(pattern(150'000), 10'000));
    CHECK(client.read_all().starts_with("HTTP/1.1 413"));
    CHECK(fixture.last_error() == ErrorKind::bad_input);
    CHECK(eventually([&] { return fixture.pool->bytes_in_use() == 0; }));
}

TEST_CASE("a pause in a body is answered 408", "[http][body]") {
    http::ServerOptions options;
    options.limits.body_pause = std::chrono::milliseconds(100);
    Fixture fixture(options);
    RawClient client(fixture.server->port());
    client.send(put("Content-Length: 10\r\n") + "abc");
    CHECK(client.read_all().starts_with("HTTP/1.1 408"));
    CHECK(fixture.last_error() == ErrorKind::timeout);
}

TEST_CASE("a body cut short is disconnected and nothing of it is kept", "[http][body]") {
    Fixture fixture;
    const bool hard = GENERATE(true, false);
    const bool plain = GENERATE(true, false);
    auto client = std::make_unique<RawClient>(fixture.server->port());
    client->send(plain ? put("Content-Length: 1000000\r\n") + pattern(300'000)
                       : put("Transfer-Encoding: chunked\r\n") + "ffff\r\n" + pattern(30'000));
    REQUIRE(eventually([&] { return fixture.tapped > 0; }));
    if (hard)
        client->reset();
    else
        client->close();
    CHECK(eventually([&] { return fixture.last_error() == ErrorKind::disconnected; },
                     std::chrono::seconds(1)));
    CHECK(eventually([&] { return fixture.pool->bytes_in_use() == 0; }, std::chrono::seconds(1)));
    CHECK(fixture.bodies == 1);
}

TEST_CASE("a body that arrived whole is carried through though its client has gone",
          "[http][body]") {
    Fixture fixture;
    {
        RawClient client(fixture.server->port());
        client.send(put("Content-Length: 500000\r\n") + pattern(500'000));
    }
    CHECK(eventually([&] { return fixture.bodies == 1; }));
    CHECK_FALSE(fixture.last_error());
    CHECK(eventually([&] { return fixture.server->counts().connections == 0; }));
    CHECK(fixture.pool->bytes_in_use() == 0);
}

TEST_CASE("an early answer arrives while 20 MB are being sent", "[http][body]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    client.send("PUT /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n");
    std::atomic<bool> stop{false};
    std::thread sender([&] {
        const std::string block = pattern(64 * 1024);
        for (int i = 0; i < 305 && !stop && client.send(block); ++i) {
        }
    });
    const auto begun = Clock::now();
    fixture.take_held()->respond(http::to_response({ApiCode::orchestrator_busy, "later", {}}));
    const std::string answer = client.read_to("\r\n\r\n");
    const auto took = Clock::now() - begun;
    stop = true;
    sender.join();
    CHECK(answer.starts_with("HTTP/1.1 503"));
    CHECK(answer.find("Connection: close") != std::string::npos);
    CHECK(took < std::chrono::seconds(1));
    CHECK(eventually([&] { return fixture.server->counts().connections == 0; },
                     std::chrono::seconds(4)));
}

TEST_CASE("an answer given while the body is arriving interrupts it", "[http][body]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    client.send("PUT /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc");
    const auto exchange = fixture.take_held();
    std::atomic<int> ended{0};
    std::atomic<int> seen{0};
    exchange->read_body({1000, fixture.pool,
                         [&](auto bytes, const auto&) { seen += static_cast<int>(bytes.size()); }},
                        [&](Result<PayloadPtr> body) { ended = body ? 1 : 2; });
    REQUIRE(eventually([&] { return seen == 3; }));
    exchange->respond(http::to_response({ApiCode::not_found, "the session has ended", {}}));
    CHECK(client.read_to("\r\n\r\n").starts_with("HTTP/1.1 404"));
    CHECK(eventually([&] { return ended == 2; }));
}

TEST_CASE("nothing is read before it is asked for", "[http][body]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    client.send("PUT /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n" +
                pattern(900'000));
    const auto exchange = fixture.take_held();
    CHECK(fixture.pool->bytes_in_use() == 0);
    std::string body;
    std::atomic<bool> done{false};
    exchange->read_body({1'000'000, fixture.pool}, [&](Result<PayloadPtr> got) {
        body = text_of(*got);
        done = true;
    });
    REQUIRE(eventually([&] { return done.load(); }));
    CHECK(body == pattern(900'000));
    exchange->respond(http::text_response(200, "text/plain", "ok"));
    CHECK(client.read_answer().ends_with("ok"));
}

TEST_CASE("a small unread body that came with its head costs no connection", "[http][body]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    client.send(
        "PUT /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /hello "
        "HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(client.read_answer().starts_with("HTTP/1.1 404"));
    CHECK(client.read_answer().ends_with("hello\n"));
}

TEST_CASE("a body that is only to be read to its end is not kept", "[http][body]") {
    Fixture fixture;
    fixture.router.on(http::Method::put, "/discard", [&](const auto& exchange, const auto&) {
        exchange->read_body({1'000'000, fixture.pool,
                             [&](std::span<const std::uint8_t> bytes, const auto&) {
                                 fixture.tapped += bytes.size();
                                 CHECK(fixture.pool->bytes_in_use() == 0);
                             },
                             true},
                            [exchange](Result<PayloadPtr> body) {
                                if (body)
                                    exchange->respond(http::text_response(
                                        200, "text/plain", std::to_string((*body)->size())));
                            });
    });
    RawClient client(fixture.server->port());
    const std::string body(300'000, 'x');
    for (const std::string& request :
         {"PUT /discard HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + body,
          "PUT /discard HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n" + body +
              "\r\n0\r\n\r\n"}) {
        fixture.tapped = 0;
        client.send(request);
        CHECK(client.read_answer().ends_with("\r\n\r\n0"));
        CHECK(fixture.tapped == 300'000);
    }
    client.send("PUT /discard HTTP/1.1\r\nHost: x\r\nContent-Length: 1000001\r\n\r\n");
    CHECK(client.read_answer().starts_with("HTTP/1.1 413"));
}
