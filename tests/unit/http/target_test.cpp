#include "common/http/target.h"

#include "common/http/message.h"
#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::http;

TEST_CASE("a path is split before it is decoded", "[http][target]") {
    const auto target = parse_target("/live/a%2Fb/7.ts?token=x%20y&flag&x=1+2");
    REQUIRE(target);
    CHECK(target->segments == std::vector<std::string>{"live", "a/b", "7.ts"});
    CHECK(target->parameter("token") == "x y");
    CHECK(target->parameter("flag") == "");
    CHECK(target->parameter("x") == "1 2");
    CHECK_FALSE(target->parameter("absent"));
}

TEST_CASE("a plus sign in a path is itself", "[http][target]") {
    CHECK(parse_target("/live/a+b")->segments.back() == "a+b");
}

TEST_CASE("dots stay what they are: nothing is resolved behind the router's back",
          "[http][target]") {
    CHECK(parse_target("/stream/../x")->segments == std::vector<std::string>{"stream", "..", "x"});
    CHECK(parse_target("/stream/%2e%2e/x")->segments ==
          std::vector<std::string>{"stream", "..", "x"});
}

TEST_CASE("an absolute target names the same path", "[http][target]") {
    CHECK(parse_target("http://host:80/a/b?c=d")->segments == std::vector<std::string>{"a", "b"});
    CHECK(parse_target("http://host")->segments == std::vector<std::string>{""});
}

TEST_CASE("broken targets are refused", "[http][target]") {
    const auto target = GENERATE(as<std::string>{}, "", "*", "host:443", "/a%", "/a%2", "/a%zz",
                                 "/a%00b", "/a%0d%0aX:1", "/a?b=%1", "/a?%7f=1");
    INFO(target);
    const auto parsed = parse_target(target);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().kind == ErrorKind::bad_input);
}

TEST_CASE("an encoded text decodes to itself", "[http][target]") {
    const std::string text = "a b/c?d&e%f+g\xc3\xa9";
    CHECK(parse_target("/" + percent_encode(text))->segments == std::vector<std::string>{text});
}

TEST_CASE("header names and list tokens are found in any case", "[http][message]") {
    Headers headers{{"Accept", "text/html, Multipart/Mixed"}, {"X-A", "1"}, {"x-a", "2"}};
    CHECK(headers.find("ACCEPT") == "text/html, Multipart/Mixed");
    CHECK(headers.lists("accept", "multipart/mixed"));
    CHECK_FALSE(headers.lists("accept", "multipart"));
    headers.set("x-A", "3");
    CHECK(headers.find("X-a") == "3");
    CHECK(headers.size() == 2);
}
