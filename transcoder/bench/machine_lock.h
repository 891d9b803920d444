#pragma once
// MachineLock: one measurement at a time on this machine, whoever runs it; two at once would halve each other.
// MachinePresence: whether another transcoder runs on this machine; what was measured is promised by each of them.
//
// Files in a place that all users share, locked by flock(2) for as long as these objects live; the system lets go of
// them when a process dies. A file that is not a plain one, or that we may not open, is nobody's lock: then there is
// none, and measuring goes on. Containers that share neither /run/lock nor /tmp do not see each other.
//
// Thread: its owner's.

#include <functional>
#include <optional>
#include <string>

namespace millrace::bench {

inline constexpr const char* kLockName = "millrace-bench.lock";
inline constexpr const char* kPresenceName = "millrace-transcoders.lock";

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

class MachinePresence {
public:
    // Empty: no place to be seen in.
    [[nodiscard]] static std::optional<MachinePresence> enter();
    // The same in a directory that is given, for tests.
    [[nodiscard]] static std::optional<MachinePresence> enter_in(const std::string& directory);
    ~MachinePresence();
    MachinePresence(MachinePresence&& other) noexcept;
    MachinePresence& operator=(MachinePresence&&) = delete;

    // Nobody else was present when this one entered. Of two that enter at once at most one is alone.
    [[nodiscard]] bool alone() const { return alone_; }

private:
    MachinePresence(int fd, bool alone) : fd_(fd), alone_(alone) {}
    int fd_ = -1;
    bool alone_ = false;
};

}  // namespace millrace::bench
