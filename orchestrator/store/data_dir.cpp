#include "orchestrator/store/data_dir.h"

#include <string_view>

#include <sys/stat.h>
#include <sys/statvfs.h>

namespace millrace::orchestrator::store {
namespace {

// What may hold secrets. The WAL and its index have their database's mode.
constexpr std::string_view kPrivateFiles[] = {"millrace.db", "millrace.db-wal", "millrace.db-shm",
                                              "admin.token"};

Result<void> refuse_readable(const std::string& file) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0)
        return {};  // not there yet
    if ((status.st_mode & (S_IRWXO | S_IWGRP)) != 0)
        return error(ErrorKind::bad_input,
                     "--data-dir: " + file + " can be read by others: chmod 600 it");
    return {};
}

}  // namespace

Result<DataDir> DataDir::open(const std::string& path) {
    auto opened = StateDir::open(path, "is in use by another orchestrator");
    if (!opened)
        return opened.error();
    DataDir directory(std::move(*opened));
    for (const std::string_view name : kPrivateFiles)
        MR_TRY(refuse_readable(directory.file(name)));
    return directory;
}

std::uint64_t DataDir::free_bytes() const {
    struct statvfs status {};
    if (::statvfs(path().c_str(), &status) != 0)
        return 0;
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace millrace::orchestrator::store
