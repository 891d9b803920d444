#pragma once
// MachineLock: one measurement at a time on this machine, whoever runs it; two at once would halve each other.
//
// A file in a place that all users share, locked by flock(2) for as long as this object lives; the system lets go of it
// when a process dies. A file that is not a plain one, or that we may not open, is nobody's lock: then there is none,
// and measuring goes on.
//
// Thread: its owner's.

#include <functional>
#include <optional>
#include <string>

namespace millrace::bench {

inline constexpr const char* kLockName = "millrace-bench.lock";

class MachineLock {
public:
    // Waits while somebody else measures; `waiting` is called once before that. Empty: no place to lock in.
    [[nodiscard]] static std::optional<MachineLock> take(const std::function<void()>& waiting);
    // The same in a directory that is given, for tests.
    [[nodiscard]] static std::optional<MachineLock> take_in(const std::string& directory,
                                                            const std::function<void()>& waiting);
    ~MachineLock();
    MachineLock(MachineLock&& other) noexcept;
    MachineLock& operator=(MachineLock&&) = delete;

private:
    explicit MachineLock(int fd) : fd_(fd) {}
    int fd_ = -1;
};

}  // namespace millrace::bench
