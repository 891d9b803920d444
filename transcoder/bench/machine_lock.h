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
#include <utility>

#include "common/runtime/descriptor.h"

namespace millrace::bench {

inline constexpr const char* kLockName = "millrace-bench.lock";
inline constexpr const char* kPresenceName = "millrace-transcoders.lock";

// A file that is open and may be locked; closed and let go of at the end.
class LockFile {
public:
    explicit LockFile(Descriptor file) : file_(std::move(file)) {}
    [[nodiscard]] bool open() const { return file_.open(); }
    // As flock(2).
    [[nodiscard]] bool lock(int how) const;

private:
    Descriptor file_;
};

class MachineLock {
public:
    // Waits while somebody else measures; `waiting` is called once before that. Empty: no place to lock in.
    [[nodiscard]] static std::optional<MachineLock> take(const std::function<void()>& waiting);
    // The same in a directory that is given, for tests.
    [[nodiscard]] static std::optional<MachineLock> take_in(const std::string& directory,
                                                            const std::function<void()>& waiting);

private:
    explicit MachineLock(LockFile file) : file_(std::move(file)) {}
    LockFile file_;
};

class MachinePresence {
public:
    // Empty: no place to be seen in.
    [[nodiscard]] static std::optional<MachinePresence> enter();
    // The same in a directory that is given, for tests.
    [[nodiscard]] static std::optional<MachinePresence> enter_in(const std::string& directory);
    // Nobody else was present when this one entered. Of two that enter at once at most one is alone.
    [[nodiscard]] bool alone() const { return alone_; }

private:
    MachinePresence(LockFile file, bool alone) : file_(std::move(file)), alone_(alone) {}
    LockFile file_;
    bool alone_ = false;
};

}  // namespace millrace::bench
