#include "common/config/values.h"

#include "common/config/places.h"
#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::config;
using namespace std::chrono_literals;

TEST_CASE("addresses are read and written, IPv6 in brackets", "[config][values]") {
    CHECK(*parse_host_port("127.0.0.1:8935") == HostPort{"127.0.0.1", 8935});
    CHECK(*parse_host_port("[::1]:0") == HostPort{"::1", 0});
    CHECK(*parse_host_port("worker-3.example:1") == HostPort{"worker-3.example", 1});
    CHECK(*parse_host_port(":8935") == HostPort{"0.0.0.0", 8935});
    CHECK(to_string(HostPort{"::1", 7}) == "[::1]:7");
    CHECK(to_string(HostPort{"localhost", 7}) == "localhost:7");
    for (const char* text :
         {"", "8935", "localhost", "localhost:", "localhost:65536", "localhost:-1", "::1:80",
          "[::1]", "a b:1", "[]:1", "[x:1", "http://x:1", "x:1 "})
        CHECK_FALSE(parse_host_port(text));
}

TEST_CASE("loopback is what only this machine can reach", "[config][values]") {
    for (const char* host : {"127.0.0.1", "127.8.9.1", "::1", "localhost"})
        CHECK(is_loopback(host));
    for (const char* host :
         {"0.0.0.0", "::", "10.0.0.1", "127.evil.example", "localhost.example", ""})
        CHECK_FALSE(is_loopback(host));
}

TEST_CASE("durations need a unit and read back as written", "[config][values]") {
    CHECK(*parse_duration("90s") == 90s);
    CHECK(*parse_duration("5m") == 5min);
    CHECK(*parse_duration("24h") == 24h);
    CHECK(*parse_duration("1500ms") == 1500ms);
    CHECK(*parse_duration("1.5s") == 1500ms);
    CHECK(*parse_duration("0") == 0s);
    for (const char* text : {"", "5", "s", "-5s", "5 s", "5d", "1e3s", "5s5", "999999999h", "."})
        CHECK_FALSE(parse_duration(text));
    for (const Duration d : {Duration(90s), Duration(1500ms), Duration(0s)})
        CHECK(*parse_duration(duration_text(d)) == d);
}

TEST_CASE("sizes in bytes know both kinds of units", "[config][values]") {
    CHECK(*parse_bytes("1GiB") == 1ULL << 30);
    CHECK(*parse_bytes("1.5KiB") == 1536);
    CHECK(*parse_bytes("1MB") == 1'000'000);
    CHECK(*parse_bytes("17") == 17);
    CHECK(*parse_bytes("0") == 0);
    for (const char* text : {"", "1G", "-1", "GiB", "1 GiB", "99999TiB", "1.5B", "nanB", "infB"})
        CHECK_FALSE(parse_bytes(text));
}

TEST_CASE("counts are whole numbers within bounds, or auto", "[config][values]") {
    CHECK(*parse_count_or_auto("auto", 1, 9) == std::nullopt);
    CHECK(*parse_count_or_auto("9", 1, 9) == 9U);
    for (const char* text :
         {"0", "10", "-1", "+1", "1.0", "1x", "", "AUTO", "99999999999999999999"})
        CHECK_FALSE(parse_count_or_auto(text, 1, 9));
    CHECK(parse_count("x\n", 0, 5).error().message ==
          "must be a whole number from 0 to 5, not 'x?'");
}

TEST_CASE("a public URL has a scheme, a host and no query", "[config][values]") {
    CHECK(*parse_base_url("http://a.example/") == "http://a.example");
    CHECK(*parse_base_url("https://a.example:8443/live/") == "https://a.example:8443/live");
    CHECK(*parse_base_url("http://[::1]:80") == "http://[::1]:80");
    CHECK(*parse_base_url("http://[::1]") == "http://[::1]");
    for (const char* text : {"", "a.example", "ftp://a", "http://", "http://:80", "http://a:b",
                             "http://a?x", "http://a/\n", "http://a:99999"})
        CHECK_FALSE(parse_base_url(text));
}

TEST_CASE("data lives where systemd says, else at home", "[config][values]") {
    CHECK(default_data_dir({{"STATE_DIRECTORY", "/a:/b"}, {"HOME", "/h"}}, "x") == "/a");
    CHECK(default_data_dir({{"HOME", "/h"}}, "transcoder/n") ==
          "/h/.local/state/millrace/transcoder/n");
    CHECK_FALSE(parse_name("..").has_value());
    CHECK(parse_name(host_name()).has_value());
}
