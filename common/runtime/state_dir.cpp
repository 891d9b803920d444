#include "common/runtime/state_dir.h"

#include <cerrno>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace millrace {
namespace {

constexpr mode_t kOurs = 0600;

std::string reason() {
    return std::generic_category().message(errno);
}

Error refusal(const std::string& sentence) {
    return error(ErrorKind::bad_input, "--data-dir: " + sentence);
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

bool sync_directory(const std::string& path) {
    const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return directory.open() && ::fsync(directory.get()) == 0;
}

Result<void> make_directory(const std::string& path) {
    std::error_code problem;
    const bool made = std::filesystem::create_directories(path, problem);
    if (problem)
        return refusal("cannot make " + path + ": " + problem.message());
    if (made && ::chmod(path.c_str(), 0700) != 0)
        return refusal("cannot close " + path + " to others: " + reason());
    return {};
}

}  // namespace

Result<StateDir> StateDir::open(const std::string& path, std::string_view in_use) {
    MR_TRY(make_directory(path));
    const std::string file = path + "/lock";
    Descriptor lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kOurs));
    if (!lock.open())
        return refusal("cannot write in " + path + ": " + reason());
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
        return refusal(errno == EWOULDBLOCK ? path + " " + std::string(in_use)
                                            : "cannot lock " + file + ": " + reason());
    return StateDir(path, std::move(lock));
}

Result<void> StateDir::make(std::string_view name) const {
    const std::string path = file(name);
    const Descriptor made(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kOurs));
    return made.open() ? Result<void>() : refusal("cannot write " + path + ": " + reason());
}

Result<void> StateDir::write(std::string_view name, std::string_view text) const {
    const std::string path = file(name);
    const std::string fresh = path + ".new";
    const Descriptor out(
        ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kOurs));
    const bool written = out.open() && write_all(out.get(), text) && ::fsync(out.get()) == 0 &&
                         ::rename(fresh.c_str(), path.c_str()) == 0 && sync_directory(path_);
    return written ? Result<void>() : refusal("cannot write " + path + ": " + reason());
}

}  // namespace millrace
