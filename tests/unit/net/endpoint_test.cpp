#include "common/net/endpoint.h"

#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::net;

TEST_CASE("addresses, names and IPv6 in brackets are taken apart and put together again") {
    for (const char* text : {"127.0.0.1:8936", "[::1]:0", "orchestrator.example:65535", "*:8936",
                             "localhost:1", "my_host-2:80"}) {
        const auto endpoint = parse_endpoint(text);
        REQUIRE(endpoint);
        CHECK(endpoint->text() == text);
    }
    CHECK(parse_endpoint("[::1]:8936")->is_ipv6());
    CHECK(parse_endpoint("worker:8936")->is_name());
    CHECK_FALSE(parse_endpoint("10.0.0.1:8936")->is_name());
    CHECK_FALSE(parse_endpoint("*:8936")->is_name());
}

TEST_CASE("loopback is told from addresses that others can reach") {
    for (const char* text : {"127.0.0.1:1", "127.1.2.3:1", "[::1]:1", "localhost:1"})
        CHECK(parse_endpoint(text)->is_loopback());
    for (const char* text : {"0.0.0.0:1", "*:1", "[::]:1", "127.example:1", "10.0.0.1:1"})
        CHECK_FALSE(parse_endpoint(text)->is_loopback());
}

TEST_CASE("what is not HOST:PORT is refused with its own words in the message") {
    for (const char* text :
         {"", "host", ":80", "host:", "host:65536", "host:-1", "host:80x", "::1:80", "[::1:80",
          "[x]:80", "a b:80", "tcp://host:80", "host;rm:80"}) {
        const auto endpoint = parse_endpoint(text);
        REQUIRE_FALSE(endpoint);
        CHECK(endpoint.error().kind == ErrorKind::bad_input);
        CHECK(endpoint.error().message.find(text) != std::string::npos);
    }
}
