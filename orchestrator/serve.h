#pragma once
// `orchestrator serve`: builds everything in order, runs the loop, takes everything down in reverse.
//
// Thread: the caller's becomes the loop thread. Returns an exit code of contract.md, section 1.

#include "common/config/orchestrator_config.h"

namespace millrace::orchestrator {

[[nodiscard]] int serve(const config::OrchestratorConfig& config);

}  // namespace millrace::orchestrator
