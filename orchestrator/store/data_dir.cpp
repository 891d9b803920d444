#include "orchestrator/store/data_dir.h"

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace millrace::orchestrator::store {
namespace {

constexpr std::string_view kLockFile = "lock";
// What may hold secrets. The WAL and its index have their database's mode.
constexpr std::string_view kPrivateFiles[] = {"millrace.db", "millrace.db-wal", "millrace.db-shm",
                                              "admin.token"};

std::string reason() {
    return std::generic_category().message(errno);
}

Error refusal(const std::string& sentence) {
    return error(ErrorKind::bad_input, "--data-dir: " + sentence);
}

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0)
            ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }

private:
    int fd_;
};

Result<void> refuse_readable(const std::string& file) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0)
        return {};  // not there yet
    if ((status.st_mode & (S_IRWXO | S_IWGRP)) != 0)
        return refusal(file + " can be read by others: chmod 600 it");
    return {};
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0)
            return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

bool sync_directory(const std::string& path) {
    const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return directory.get() >= 0 && ::fsync(directory.get()) == 0;
}

}  // namespace

Result<DataDir> DataDir::open(const std::string& path) {
    std::error_code problem;
    const bool made = std::filesystem::create_directories(path, problem);
    if (problem)
        return refusal("cannot make " + path + ": " + problem.message());
    if (made && ::chmod(path.c_str(), 0700) != 0)
        return refusal("cannot close " + path + " to others: " + reason());
    const std::string lock_path = path + "/" + std::string(kLockFile);
    Descriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock.get() < 0)
        return refusal("cannot write in " + path + ": " + reason());
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
        return refusal(errno == EWOULDBLOCK ? path + " is in use by another orchestrator"
                                            : "cannot lock " + lock_path + ": " + reason());
    DataDir directory(path, lock.release());
    for (const std::string_view name : kPrivateFiles)
        MR_TRY(refuse_readable(directory.file(name)));
    return directory;
}

DataDir::~DataDir() {
    if (lock_ >= 0)
        ::close(lock_);
}

DataDir::DataDir(DataDir&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

DataDir& DataDir::operator=(DataDir&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(lock_, other.lock_);
    return *this;
}

Result<void> DataDir::make_private(std::string_view name) const {
    const Descriptor made(
        ::open(file(name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (made.get() < 0)
        return refusal("cannot write " + file(name) + ": " + reason());
    return {};
}

Result<void> DataDir::write_private(std::string_view name, std::string_view text) const {
    const std::string fresh = file(name) + ".new";
    const Descriptor out(
        ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    const bool written = out.get() >= 0 && write_all(out.get(), text) && ::fsync(out.get()) == 0 &&
                         ::rename(fresh.c_str(), file(name).c_str()) == 0 && sync_directory(path_);
    if (!written)
        return refusal("cannot write " + file(name) + ": " + reason());
    return {};
}

std::uint64_t DataDir::free_bytes() const {
    struct statvfs status {};
    if (::statvfs(path_.c_str(), &status) != 0)
        return 0;
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace millrace::orchestrator::store
