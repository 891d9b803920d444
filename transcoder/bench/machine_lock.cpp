#include "transcoder/bench/machine_lock.h"

#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace millrace::bench {
namespace {

// Never through a link that somebody left in a directory everybody may write to. Reading is enough to lock, so it does
// not matter whose file it is.
int open_lock(const std::string& path) {
    int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        fd = ::open(path.c_str(), O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0644);
    struct stat facts {};
    if (fd >= 0 && (::fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))) {
        ::close(fd);
        return -1;
    }
    return fd;
}

constexpr std::array<const char*, 2> kDirectories{"/run/lock", "/tmp"};

bool lock(int fd, int how) {
    while (::flock(fd, how) != 0)
        if (errno != EINTR)
            return false;
    return true;
}

}  // namespace

std::optional<MachineLock> MachineLock::take(const std::function<void()>& waiting) {
    for (const char* directory : kDirectories)
        if (auto lock = take_in(directory, waiting))
            return lock;
    return std::nullopt;
}

std::optional<MachineLock> MachineLock::take_in(const std::string& directory,
                                                const std::function<void()>& waiting) {
    const int fd = open_lock(directory + '/' + kLockName);
    if (fd < 0)
        return std::nullopt;
    MachineLock taken(fd);
    if (lock(fd, LOCK_EX | LOCK_NB))
        return taken;
    waiting();
    if (!lock(fd, LOCK_EX))
        return std::nullopt;
    return taken;
}

MachineLock::~MachineLock() {
    if (fd_ >= 0)
        ::close(fd_);
}

MachineLock::MachineLock(MachineLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

std::optional<MachinePresence> MachinePresence::enter() {
    for (const char* directory : kDirectories)
        if (auto presence = enter_in(directory))
            return presence;
    return std::nullopt;
}

// All that are present share the lock; who gets it for itself is alone. A try that fails loses what was held.
std::optional<MachinePresence> MachinePresence::enter_in(const std::string& directory) {
    const int fd = open_lock(directory + '/' + kPresenceName);
    if (fd < 0)
        return std::nullopt;
    MachinePresence presence(fd, false);
    if (!lock(fd, LOCK_SH))
        return std::nullopt;
    presence.alone_ = lock(fd, LOCK_EX | LOCK_NB);
    if (!lock(fd, LOCK_SH))
        return std::nullopt;
    return presence;
}

MachinePresence::~MachinePresence() {
    if (fd_ >= 0)
        ::close(fd_);
}

MachinePresence::MachinePresence(MachinePresence&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), alone_(other.alone_) {}

}  // namespace millrace::bench
