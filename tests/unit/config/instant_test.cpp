#include "common/config/instant.h"

#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::config;

TEST_CASE("times are read as people and programs write them", "[config]") {
    const WallTime now{1'000'000'000'000};
    const auto at = [&](const char* text) {
        const auto instant = parse_instant(text);
        INFO(text);
        REQUIRE(instant);
        return instant->from(now).ms;
    };
    CHECK(at("1970-01-01") == 0);
    CHECK(at("2026-11-25") == 1'795'564'800'000);
    CHECK(at("2026-11-25T04:30:00Z") == 1'795'581'000'000);
    CHECK(at("2026-11-25t04:30:00z") == 1'795'581'000'000);
    CHECK(at("2026-11-25 04:30:00Z") == 1'795'581'000'000);
    CHECK(at("2026-11-25T05:30:00+01:00") == 1'795'581'000'000);
    CHECK(at("2026-11-25T01:00:00-03:30") == 1'795'581'000'000);
    CHECK(at("2026-11-25T04:30:00.5Z") == 1'795'581'000'500);
    CHECK(at("2026-11-25T04:30:00.123456789Z") == 1'795'581'000'123);
    CHECK(at("2024-02-29") == 1'709'164'800'000);
    CHECK(at("24h") == now.ms - 24LL * 3600 * 1000);
    CHECK(at("1500ms") == now.ms - 1500);
    CHECK(at("0") == now.ms);
}

TEST_CASE("what is not a time is told so, with an example", "[config]") {
    for (const char* text :
         {"", "yesterday", "2026", "2026-11", "2026-02-29", "2026-13-01", "2026-11-25T04:30Z",
          "2026-11-25T04:30:00", "2026-11-25T24:00:00Z", "2026-11-25T04:60:00Z",
          "2026-11-25T04:30:00.Z", "2026-11-25T04:30:00Zx", "2026-11-25T04:30:00+1:00",
          "2026-11-25T-1:30:00Z", "-24h", "24", "2026-11-25T04:30:00.1234567890Z", "26-11-25"}) {
        INFO(text);
        const auto instant = parse_instant(text);
        REQUIRE_FALSE(instant);
        CHECK(instant.error().kind == ErrorKind::bad_input);
        CHECK_THAT(instant.error().message, Catch::Contains("2026-11-25T04:30:00Z"));
    }
}
