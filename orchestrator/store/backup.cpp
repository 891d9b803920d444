#include "orchestrator/store/backup.h"

#include <cerrno>
#include <filesystem>
#include <system_error>

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/runtime/descriptor.h"
#include "orchestrator/store/schema.h"

namespace millrace::orchestrator::store {
namespace {

constexpr int kBusyMs = 5'000;
constexpr int kAllPages = -1;

Error about(const std::string& file, const std::string& problem) {
    return error(ErrorKind::bad_input, file + ": " + problem);
}

// Copies within one read transaction of `from`: a moment of the database, whatever is written meanwhile.
Result<void> copy(const std::string& from, const std::string& to) {
    try {
        SQLite::Database source(from, SQLite::OPEN_READWRITE, kBusyMs);
        if (source.execAndGet("PRAGMA application_id").getInt() != kApplicationId)
            return error(ErrorKind::bad_input,
                         "--data-dir: " + from + " is not an orchestrator's database");
        SQLite::Database target(to, SQLite::OPEN_READWRITE, kBusyMs);
        SQLite::Backup(target, source).executeStep(kAllPages);
        if (const auto found = target.execAndGet("PRAGMA quick_check(1)").getString();
            found != "ok")
            return about(to, "the copy is damaged: " + found);
        return {};
    } catch (const SQLite::Exception& problem) {
        return about(to, problem.what());
    }
}

Result<void> synchronise(const std::string& file) {
    const Descriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    const bool done = opened.open() && ::fsync(opened.get()) == 0;
    return done ? Result<void>() : about(file, "cannot be synchronised to disk");
}

}  // namespace

Result<void> back_up(const std::string& data_dir, const std::string& file) {
    const std::string from = data_dir + "/millrace.db";
    std::error_code ignored;
    if (!std::filesystem::exists(from, ignored))
        return error(ErrorKind::bad_input, "--data-dir: no database in " + data_dir);
    if (!Descriptor(::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600))
             .open())
        return about(file, std::generic_category().message(errno));
    auto result = copy(from, file);
    if (result)
        result = synchronise(file);
    if (!result)
        std::filesystem::remove(file, ignored);
    return result;
}

}  // namespace millrace::orchestrator::store
