#include "orchestrator/front/names.h"

#include "tests/support/catch.h"

using namespace millrace::orchestrator;

TEST_CASE("stream names are safe path components", "[front][names]") {
    for (const auto* good : {"a", "cam-1", "A.b_c~d+e", "..."})
        CHECK(valid_stream_name(good));
    CHECK(valid_stream_name(std::string(128, 'x')));
    for (const std::string& bad :
         {std::string(), std::string("."), std::string(".."), std::string("a/b"),
          std::string("a b"), std::string("a\\b"), std::string("a%2e"), std::string("\xc3\xa9"),
          std::string("a\0b", 3), std::string(129, 'x')})
        CHECK_FALSE(valid_stream_name(bad));
}

TEST_CASE("a segment's number is its trailing digits", "[front][names]") {
    const auto seq = [](std::string_view name) {
        return std::get<std::uint64_t>(sequence_of(name));
    };
    CHECK(seq("7.ts") == 7);
    CHECK(seq("idx00007.ts") == 7);
    CHECK(seq("2024-05-01_12.MP4") == 12);
    CHECK(seq("a1b22.m4s") == 22);
    CHECK(seq("0.webm") == 0);
    CHECK(seq("18446744073709551615.ts") == 18446744073709551615ULL);
}

TEST_CASE("names without a number or a known extension are told apart", "[front][names]") {
    const auto problem = [](std::string_view name) {
        return std::get<SegmentNameProblem>(sequence_of(name));
    };
    for (const auto* name : {"7.jpg", "7", "ts", "7.ts.txt", "", "7.m3u8"})
        CHECK(problem(name) == SegmentNameProblem::unknown_extension);
    for (const auto* name : {"a.ts", ".ts", "7a.ts", "18446744073709551616.ts", "7-.mp4"})
        CHECK(problem(name) == SegmentNameProblem::no_number);
    CHECK(is_playlist_name("index.M3U8"));
    CHECK_FALSE(is_playlist_name("index.m3u"));
}

TEST_CASE("a file name that leads out of its directory is no name", "[front][names]") {
    for (const std::string good : {"7.ts", "a b.ts", "..7.ts", "index.m3u8"})
        CHECK(valid_file_name(good));
    for (const std::string bad : {"", ".", "..", "../7.ts", "a/7.ts", "a\\7.ts", "/7.ts"})
        CHECK_FALSE(valid_file_name(bad));
    CHECK(valid_file_name(std::string(255, 'a')));
    CHECK_FALSE(valid_file_name(std::string(256, 'a')));
}
