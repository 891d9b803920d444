#include "common/http/server.h"

#include "tests/unit/http/fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

const std::string kGet = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";

}  // namespace

TEST_CASE("requests share a connection, pipelined ones too", "[http][server]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    client.send(kGet + kGet);
    CHECK(client.read_answer().ends_with("hello\n"));
    CHECK(client.read_answer().ends_with("hello\n"));
    client.send(kGet);
    CHECK(client.read_answer().starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(fixture.server->counts().connections == 1);
}

TEST_CASE("HTTP/1.0 closes unless it asks not to", "[http][server]") {
    Fixture fixture;
    RawClient once(fixture.server->port());
    once.send("GET /hello HTTP/1.0\r\n\r\n");
    CHECK(once.read_all().find("Connection: close") != std::string::npos);
    RawClient again(fixture.server->port());
    again.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(again.read_answer().find("Connection: keep-alive") != std::string::npos);
    again.send(kGet);
    CHECK(again.read_answer().ends_with("hello\n"));
}

TEST_CASE("a request dropped without an answer is answered 500", "[http][server]") {
    Fixture fixture;
    CHECK(http::fetch({.url = fixture.url("/drop")})->status == 500);
    CHECK(http::fetch({.url = fixture.url("/throw")})->status == 500);
    CHECK(http::fetch({.url = fixture.url("/hello")})->status == 200);
}

TEST_CASE("one connection too many is told 503 and closed, and the next one fits again",
          "[http][server]") {
    http::ServerOptions options;
    options.limits.connections = 3;
    Fixture fixture(options);
    {
        RawClient a(fixture.server->port()), b(fixture.server->port()), c(fixture.server->port());
        REQUIRE(eventually([&] { return fixture.server->counts().connections == 3; }));
        RawClient d(fixture.server->port());
        d.send(kGet);
        const std::string answer = d.read_all();
        CHECK(answer.starts_with("HTTP/1.1 503"));
        CHECK(answer.find("Retry-After: 1") != std::string::npos);
        CHECK(fixture.server->counts().refused_connections == 1);
        a.send(kGet);
        CHECK(a.read_answer().ends_with("hello\n"));
    }
    REQUIRE(eventually([&] { return fixture.server->counts().connections == 0; }));
    CHECK(http::fetch({.url = fixture.url("/hello")})->status == 200);
}

TEST_CASE("idle connections are closed", "[http][server]") {
    http::ServerOptions options;
    options.limits.idle = std::chrono::milliseconds(100);
    Fixture fixture(options);
    RawClient client(fixture.server->port());
    client.send(kGet);
    CHECK(client.read_answer().ends_with("hello\n"));
    client.read_all();
    CHECK(client.ended());
    CHECK(eventually([&] { return fixture.server->counts().connections == 0; }));
}

TEST_CASE("an answer may come later from another thread", "[http][server]") {
    Fixture fixture;
    RawClient client(fixture.server->port());
    client.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    std::thread([exchange = fixture.take_held()] {
        exchange->respond(http::text_response(200, "text/plain", "late"));
        exchange->respond(http::text_response(500, "text/plain", "never seen"));
    }).join();
    CHECK(client.read_answer().ends_with("late"));
    client.send(kGet);
    CHECK(client.read_answer().ends_with("hello\n"));
}

TEST_CASE("a client that leaves is noticed while its answer is being made", "[http][server]") {
    Fixture fixture;
    auto client = std::make_unique<RawClient>(fixture.server->port());
    client->send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto exchange = fixture.take_held();
    std::atomic<bool> gone{false};
    exchange->on_gone([&] { gone = true; });
    CHECK_FALSE(gone);
    const bool hard = GENERATE(true, false);
    if (hard)
        client->reset();
    else
        client->close();
    CHECK(eventually([&] { return gone.load(); }, std::chrono::seconds(5)));
    std::atomic<bool> at_once{false};
    exchange->on_gone([&] { at_once = true; });
    CHECK(at_once);
    exchange->respond(http::text_response(200, "text/plain", "to nobody"));
    CHECK(eventually([&] { return fixture.server->counts().connections == 0; }));
}

TEST_CASE("draining closes idle connections and finishes running exchanges", "[http][server]") {
    Fixture fixture;
    RawClient idle(fixture.server->port()), busy(fixture.server->port());
    busy.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto exchange = fixture.take_held();
    REQUIRE(eventually([&] { return fixture.server->counts().connections == 2; }));
    fixture.server->begin_drain();
    idle.read_all();
    CHECK(idle.ended());
    CHECK_FALSE(fixture.server->wait_drained(std::chrono::milliseconds(20)));
    exchange->respond(http::text_response(200, "text/plain", "done"));
    const std::string answer = busy.read_all();
    CHECK(answer.find("Connection: close") != std::string::npos);
    CHECK(answer.ends_with("done"));
    busy.close();
    CHECK(fixture.server->wait_drained(std::chrono::seconds(5)));
    CHECK(http::fetch({.url = fixture.url("/hello")}).error().kind == ErrorKind::disconnected);
}

TEST_CASE("exchanges may outlive the server", "[http][server]") {
    http::ExchangePtr exchange;
    std::shared_ptr<http::ResponseStream> stream;
    {
        Fixture fixture;
        RawClient client(fixture.server->port());
        client.send("PUT /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");
        exchange = fixture.take_held();
    }
    std::optional<ErrorKind> kind;
    exchange->read_body({100, std::make_shared<BlockPool>()},
                        [&](Result<PayloadPtr> body) { kind = body.error().kind; });
    CHECK(kind == ErrorKind::disconnected);
    stream = exchange->respond_stream({});
    CHECK_FALSE(stream->write("x"));
}

TEST_CASE("a taken port is an error that names it", "[http][server]") {
    Fixture fixture;
    http::ServerOptions options;
    options.address = fixture.server->local_endpoint();
    const auto second = http::Server::start(options, [](const auto&) {});
    REQUIRE_FALSE(second);
    CHECK(second.error().kind == ErrorKind::bad_input);
    CHECK(second.error().message.find(options.address) != std::string::npos);
    options.address = "nonsense";
    CHECK_FALSE(http::Server::start(options, [](const auto&) {}));
}

TEST_CASE("a listening socket can be handed over", "[http][server]") {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd, 8) == 0);
    http::ServerOptions options;
    options.listen_fd = fd;
    Fixture fixture(options);
    CHECK(http::fetch({.url = fixture.url("/hello")})->body == "hello\n");
}

TEST_CASE("the client names what went wrong", "[http][client]") {
    Fixture fixture;
    CHECK(http::fetch({.url = "nonsense://x"}).error().kind == ErrorKind::bad_input);
    CHECK(http::fetch({.url = fixture.url("/hello"), .answer_bytes_max = 3}).error().kind ==
          ErrorKind::bad_input);
    CHECK(http::fetch({.url = fixture.url("/hold"), .timeout = std::chrono::milliseconds(100)})
              .error()
              .kind == ErrorKind::timeout);
    const auto echo = http::fetch({.method = "PUT", .url = fixture.url("/echo"), .body = "abc"});
    REQUIRE(echo);
    CHECK(echo->body == "<abc>");
    CHECK(echo->headers.find("content-type") == "application/octet-stream");
}
