#include "transcoder/bench/machine_lock.h"

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
Descriptor open_lock(const std::string& path) {
    constexpr int kHow = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    Descriptor file(::open(path.c_str(), kHow));
    if (!file.open() && errno == ENOENT)
        file = Descriptor(::open(path.c_str(), kHow | O_CREAT, 0644));
    struct stat facts {};
    if (file.open() && (::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)))
        file.close();
    return file;
}

// In the first directory where there is a file to lock.
template <class Locking>
auto in_any_directory(const Locking& locking) -> decltype(locking(std::string())) {
    for (const char* directory : {"/run/lock", "/tmp"})
        if (auto locked = locking(directory))
            return locked;
    return std::nullopt;
}

}  // namespace

bool LockFile::lock(int how) const {
    while (::flock(file_.get(), how) != 0)
        if (errno != EINTR)
            return false;
    return true;
}

std::optional<MachineLock> MachineLock::take(const std::function<void()>& waiting) {
    return in_any_directory(
        [&waiting](const std::string& directory) { return take_in(directory, waiting); });
}

std::optional<MachineLock> MachineLock::take_in(const std::string& directory,
                                                const std::function<void()>& waiting) {
    LockFile file(open_lock(directory + '/' + kLockName));
    if (!file.open())
        return std::nullopt;
    if (!file.lock(LOCK_EX | LOCK_NB)) {
        waiting();
        if (!file.lock(LOCK_EX))
            return std::nullopt;
    }
    return MachineLock(std::move(file));
}

std::optional<MachinePresence> MachinePresence::enter() {
    return in_any_directory([](const std::string& directory) { return enter_in(directory); });
}

// All that are present share the lock; who gets it for itself is alone. A try that fails loses what was held.
std::optional<MachinePresence> MachinePresence::enter_in(const std::string& directory) {
    LockFile file(open_lock(directory + '/' + kPresenceName));
    if (!file.open() || !file.lock(LOCK_SH))
        return std::nullopt;
    const bool alone = file.lock(LOCK_EX | LOCK_NB);
    if (!file.lock(LOCK_SH))
        return std::nullopt;
    return MachinePresence(std::move(file), alone);
}

}  // namespace millrace::bench
