// kill -9 at random instants, and logs cut short: what was acknowledged is there, once, and nothing is half
// there.

#include <filesystem>

#include "common/base/rng.h"
#include "tests/unit/store/crash_writer.h"

using namespace millrace;
using namespace millrace::test;

TEST_CASE("a writer killed at any instant has lost nothing it acknowledged", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    Rng rng(2);
    std::uint64_t next = 0;
    for (std::uint64_t round = 1; round <= 12; ++round) {
        const Crashed crashed = crash_writer(dir.path(), next, 1 + rng.below(120));
        const auto opened = must_open(dir.path(), mailbox.executor());
        CHECK(opened.restored.epoch == Epoch{2 * round});
        const std::uint64_t booked = booked_without_gap(dir.path());
        CHECK(booked >= next + crashed.acknowledged);
        next = booked;
    }
}

TEST_CASE("a log cut short anywhere opens to a whole prefix", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    const std::string origin = dir / "origin";
    crash_writer(origin, 0, 60);
    const auto log_size = std::filesystem::file_size(origin + "/millrace.db-wal");
    REQUIRE(log_size > 0);
    Rng rng(3);
    std::uint64_t longest = 0;
    for (int round = 0; round < 20; ++round) {
        const std::string copy = dir / ("copy" + std::to_string(round));
        std::filesystem::copy(origin, copy);
        std::filesystem::remove(copy + "/millrace.db-shm");
        // The tables themselves are in the log's first pages: keep those.
        const std::uint64_t keep = log_size / 4 + rng.below(log_size - log_size / 4);
        std::filesystem::resize_file(copy + "/millrace.db-wal", keep);
        auto opened = store::open_sqlite(copy, mailbox.executor());
        REQUIRE(opened);
        longest = std::max(longest, booked_without_gap(copy));
        CHECK(commit(*opened->store, mailbox, a_segment(100'000)));
    }
    CHECK(longest > 0);
}
