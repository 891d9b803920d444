#pragma once
// Where the running orchestrator is: --admin-addr when given, else what <data-dir>/endpoints.json says, else
// the default; the admin token likewise from --admin-token or <data-dir>/admin.token.
//
// Thread: the caller's.

#include "common/config/orchestrator_config.h"
#include "orchestrator/commands/admin_client.h"

namespace millrace::orchestrator::commands {

[[nodiscard]] AdminTarget find_target(const config::OrchestratorConfig& config);

}  // namespace millrace::orchestrator::commands
