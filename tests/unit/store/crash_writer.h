#pragma once
// A process that commits segments until it is killed, and says which it was told are durable.

#include <array>
#include <atomic>
#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/store/store_fixture.h"

namespace millrace::test {

inline constexpr std::uint64_t kInFlight =
    6;  // not acknowledged yet: transactions hold one to six segments

using MakeRecord = std::function<store::CommitRecord(std::uint64_t)>;

// In a process of its own: commits from `first` on for ever, and writes each number to `out` once it was
// acknowledged.
[[noreturn]] inline void commit_for_ever(const std::string& dir, std::uint64_t first, int out,
                                         const MakeRecord& make) {
    auto opened = store::open_sqlite(dir, [](std::function<void()> task) { task(); });
    if (!opened)
        ::_exit(1);
    std::atomic<std::uint64_t> answered = first;
    for (std::uint64_t seq = first;; ++seq) {
        opened->store->commit(make(seq), [&answered, seq, out](const Result<void>& result) {
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
inline Crashed crash_writer(
    const std::string& dir, std::uint64_t first, std::uint64_t enough,
    const MakeRecord& make = [](std::uint64_t seq) { return a_segment(seq); }) {
    std::array<int, 2> pipe_ends{};
    REQUIRE(::pipe(pipe_ends.data()) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::close(pipe_ends[0]);
        commit_for_ever(dir, first, pipe_ends[1], make);
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
inline std::uint64_t booked_without_gap(const std::string& dir) {
    const auto count = look(dir, "SELECT count(*) FROM segments");
    CHECK(look(dir, "SELECT count(DISTINCT seq) FROM segments") == count);
    if (count > 0)
        CHECK(look(dir, "SELECT max(seq) FROM segments") == count - 1);
    return static_cast<std::uint64_t>(count);
}

}  // namespace millrace::test
