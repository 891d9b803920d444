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

}  // namespace

std::optional<MachineLock> MachineLock::take(const std::function<void()>& waiting) {
    constexpr std::array<const char*, 2> kDirectories{"/run/lock", "/tmp"};
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
    MachineLock lock(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0)
        return lock;
    waiting();
    while (::flock(fd, LOCK_EX) != 0)
        if (errno != EINTR)
            return std::nullopt;
    return lock;
}

MachineLock::~MachineLock() {
    if (fd_ >= 0)
        ::close(fd_);
}

MachineLock::MachineLock(MachineLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

}  // namespace millrace::bench
