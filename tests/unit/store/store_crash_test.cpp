// kill -9 at random instants, and logs cut short: what was acknowledged is there, once, and nothing is half
// there.

#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>

#include <sys/wait.h>
#include <unistd.h>

#include "common/base/rng.h"
#include "tests/unit/store/store_fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

// In a process of its own: commits from `first` on for ever, and writes each number to `out` once it was
// acknowledged.
[[noreturn]] void commit_for_ever(const std::string& dir, std::uint64_t first, int out) {
    auto opened = store::open_sqlite(dir, [](std::function<void()> task) { task(); });
    if (!opened)
        ::_exit(1);
    constexpr std::uint64_t kInFlight = 6;  // so that transactions hold one to six segments
    std::atomic<std::uint64_t> answered = first;
    for (std::uint64_t seq = first;; ++seq) {
        opened->store->commit(a_segment(seq), [&answered, seq, out](const Result<void>& result) {
            if (!result || ::write(out, &seq, sizeof seq) != sizeof seq)
                ::_exit(2);
            answered = seq + 1;
            answered.notify_one();
        });
        for (auto seen = answered.load(); seq + 1 - seen >= kInFlight; seen = answered.load())
            answered.wait(seen);
    }
}

struct Crashed {
    std::uint64_t acknowledged = 0;  // numbers from `first` on
};

// Runs commit_for_ever, waits for `enough` acknowledgements, and kills it.
Crashed crash_writer(const std::string& dir, std::uint64_t first, std::uint64_t enough) {
    std::array<int, 2> pipe_ends{};
    REQUIRE(::pipe(pipe_ends.data()) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::close(pipe_ends[0]);
        commit_for_ever(dir, first, pipe_ends[1]);
    }
    ::close(pipe_ends[1]);
    Crashed crashed;
    std::uint64_t seq = 0;
    while (crashed.acknowledged < enough && ::read(pipe_ends[0], &seq, sizeof seq) == sizeof seq) {
        CHECK(seq == first + crashed.acknowledged);
        ++crashed.acknowledged;
    }
    ::kill(child, SIGKILL);
    // What it had said before it died.
    while (::read(pipe_ends[0], &seq, sizeof seq) == sizeof seq)
        ++crashed.acknowledged;
    ::close(pipe_ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    return crashed;
}

// The booked segments are exactly 0 .. n-1; returns n.
std::uint64_t booked_without_gap(const std::string& dir) {
    const auto count = look(dir, "SELECT count(*) FROM segments");
    CHECK(look(dir, "SELECT count(DISTINCT seq) FROM segments") == count);
    if (count > 0)
        CHECK(look(dir, "SELECT max(seq) FROM segments") == count - 1);
    return static_cast<std::uint64_t>(count);
}

}  // namespace

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
