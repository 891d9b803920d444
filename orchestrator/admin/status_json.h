#pragma once
// /status as JSON: the core's snapshot in the words of contract.md, section 5. Pure; times come in.
//
// Thread: any; makes values.

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "orchestrator/core/orchestrator_core.h"
#include "orchestrator/stake/stake_view.h"

namespace millrace::orchestrator::admin {

// How steady time relates to the wall clock now, to print the core's times for people.
struct Clocks {
    TimePoint steady_now;
    WallTime wall_now;
    TimePoint started_at;
};

struct ProcessInfo {
    std::string version;
    Epoch epoch;
};

[[nodiscard]] nlohmann::json status_json(const CoreStatus& status, const stake::StakeView& stake,
                                         const ProcessInfo& process, const Clocks& clocks);

// "2026-11-22T16:37:05.123Z"
[[nodiscard]] std::string rfc3339(WallTime time);

}  // namespace millrace::orchestrator::admin
