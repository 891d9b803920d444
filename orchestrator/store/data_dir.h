#pragma once
// The orchestrator's data directory: no file in it that may hold secrets is readable by others. Internal to
// orchestrator/store.
//
// Thread: its owner's. Owner: the store.

#include <cstdint>
#include <string>
#include <utility>

#include "common/base/result.h"
#include "common/runtime/state_dir.h"

namespace millrace::orchestrator::store {

class DataDir : public StateDir {
public:
    // bad_input, naming --data-dir: it cannot be made, it is in use, or a file in it can be read by others.
    [[nodiscard]] static Result<DataDir> open(const std::string& path);
    [[nodiscard]] std::uint64_t free_bytes() const;

private:
    explicit DataDir(StateDir directory) : StateDir(std::move(directory)) {}
};

}  // namespace millrace::orchestrator::store
