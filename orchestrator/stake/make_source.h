#pragma once
// From flags to a source. Thread: any.

#include <memory>

#include "common/config/stake_config.h"
#include "orchestrator/stake/stake_source.h"

namespace millrace::orchestrator::stake {

// Null for `none`. bad_input: names the flag that is wrong.
[[nodiscard]] Result<std::unique_ptr<StakeSource>> make_source(const config::StakeConfig& config);

}  // namespace millrace::orchestrator::stake
