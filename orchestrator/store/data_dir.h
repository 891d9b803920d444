#pragma once
// The orchestrator's data directory: made when it is not there, ours alone while we live, and closed to
// others. Internal to orchestrator/store.
//
// Thread: its owner's. Owner: the store; the lock goes with this object (or with the process, however that
// ends).

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace millrace::orchestrator::store {

class DataDir {
public:
    // Makes the directory (0700) and takes its lock. bad_input, naming --data-dir: it cannot be made, it is
    // in use, or a file in it can be read by others.
    [[nodiscard]] static Result<DataDir> open(const std::string& path);
    ~DataDir();
    DataDir(DataDir&& other) noexcept;
    DataDir& operator=(DataDir&& other) noexcept;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string file(std::string_view name) const {
        return path_ + "/" + std::string(name);
    }
    // Makes an empty file with mode 0600 unless it is there: what SQLite then opens, and its WAL, keep it.
    [[nodiscard]] Result<void> make_private(std::string_view name) const;
    // Writes a private file so that it is there whole or not at all.
    [[nodiscard]] Result<void> write_private(std::string_view name, std::string_view text) const;
    [[nodiscard]] std::uint64_t free_bytes() const;

private:
    DataDir(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
    std::string path_;
    int lock_ = -1;
};

}  // namespace millrace::orchestrator::store
