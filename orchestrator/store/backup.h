#pragma once
// A copy of a data directory's database that another host can start from, taken while an orchestrator runs on it
// or not.
//
// Thread: the caller's; blocking.

#include <string>

#include "common/base/result.h"

namespace millrace::orchestrator::store {

// Makes `file` (0600; refused when it is there) and fills it with everything committed so far, synchronised to disk.
// It holds the orchestrator's secrets. bad_input: `file`, or nothing to copy in `data_dir` (names --data-dir).
[[nodiscard]] Result<void> back_up(const std::string& data_dir, const std::string& file);

}  // namespace millrace::orchestrator::store
