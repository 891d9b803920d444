#pragma once
// What /status and /metrics show of stake. Plain values; thread: any.

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/time.h"
#include "common/domain/lpt.h"

namespace millrace::orchestrator::stake {

struct StakeView {
    std::string source = "none";  // "none", "file:…", "ethereum"
    std::string state = "none";   // "none", or as StakeState
    std::optional<Lpt> tokens;
    bool active = false;                 // stake was read and lets the orchestrator work
    std::optional<WallTime> updated_at;  // of the last good reading
    Duration age{0};                     // since then; 0 = never read
    std::optional<std::uint64_t> round;
    std::string problem;  // why the last attempt failed; empty = it did not
};

}  // namespace millrace::orchestrator::stake
