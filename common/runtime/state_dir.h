#pragma once
// StateDir: the directory in which a daemon keeps what outlives it. Made when it is not there (0700), ours alone while this
// object lives, its files readable by nobody else.
//
// Errors are ErrorKind::bad_input with a sentence that names --data-dir.
//
// Thread: its owner's. The lock goes with this object, or with the process, however that ends.

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/runtime/descriptor.h"

namespace millrace {

class StateDir {
public:
    // Makes the directory if need be and locks it. `in_use`: what to say behind the path when another process has it.
    [[nodiscard]] static Result<StateDir> open(const std::string& path, std::string_view in_use);

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string file(std::string_view name) const {
        return path_ + "/" + std::string(name);
    }
    // An empty file unless there is one: what others open there later keeps its mode (0600).
    [[nodiscard]] Result<void> make(std::string_view name) const;
    // On disk whole or not at all (0600).
    [[nodiscard]] Result<void> write(std::string_view name, std::string_view text) const;

private:
    StateDir(std::string path, Descriptor lock) : path_(std::move(path)), lock_(std::move(lock)) {}
    std::string path_;
    Descriptor lock_;
};

}  // namespace millrace
