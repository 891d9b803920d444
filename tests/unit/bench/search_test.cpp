// How many sessions are tried, and in how few steps the end is found.

#include "transcoder/bench/search.h"

#include "common/base/rng.h"
#include "tests/support/catch.h"

using namespace millrace;
using bench::Search;

namespace {

struct Found {
    std::uint32_t best = 0;
    int steps = 0;
};

// On a machine that carries so many.
Found search(std::uint32_t carries, std::uint32_t guess, std::uint32_t max = 256) {
    Search search(guess, max);
    Found found;
    while (const auto sessions = search.next()) {
        REQUIRE(*sessions >= 1);
        REQUIRE(*sessions <= std::max(max, 1U));
        search.told(*sessions <= carries);
        REQUIRE(++found.steps < 60);
    }
    found.best = search.best();
    return found;
}

}  // namespace

TEST_CASE("the largest number that holds is found wherever the search begins", "[bench]") {
    for (std::uint32_t carries = 0; carries <= 40; ++carries)
        for (std::uint32_t guess = 1; guess <= 60; ++guess) {
            INFO(carries << " carried, " << guess << " guessed");
            CHECK(search(carries, guess).best == carries);
        }
}

TEST_CASE("large machines are known to two in a hundred", "[bench]") {
    Rng rng(3);
    for (int round = 0; round < 300; ++round) {
        const auto carries = static_cast<std::uint32_t>(50 + rng.below(200));
        const auto guess = static_cast<std::uint32_t>(1 + rng.below(300));
        const Found found = search(carries, guess);
        INFO(carries << " carried, " << guess << " guessed");
        CHECK(found.best <= carries);
        CHECK(carries - found.best <= 1 + carries / 50);
    }
}

TEST_CASE("a good guess takes few steps", "[bench]") {
    CHECK(search(8, 8).steps <= 4);
    CHECK(search(8, 9).steps <= 4);
    CHECK(search(1, 1).steps == 2);
    CHECK(search(0, 2).steps == 2);
    CHECK(search(100, 110).steps <= 6);
}

TEST_CASE("more than there may be is never tried", "[bench]") {
    Search few(10, 3);
    CHECK(few.next() == 3U);
    few.told(true);
    CHECK_FALSE(few.next());
    CHECK(few.at_max());
    CHECK(search(1000, 200).best == 256);
    CHECK(search(5, 4, 0).best == 1);  // there is always one
}
