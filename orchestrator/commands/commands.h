#pragma once
// The subcommands that talk to a running orchestrator over its admin API. Each prints a table, or with
// --json the answer as it came, and returns an exit code of contract.md, section 1.
//
// Thread: the caller's; blocking.

#include <string>

#include "common/base/time.h"
#include "orchestrator/commands/admin_client.h"

namespace millrace::orchestrator::commands {

int status(const AdminTarget& target);
int sessions(const AdminTarget& target);
int transcoders(const AdminTarget& target);
// verb: drain, cordon or uncordon.
int transcoder(const AdminTarget& target, const std::string& name, const std::string& verb);
// A number or "auto".
int max_sessions(const AdminTarget& target, const std::string& value);
int end_session(const AdminTarget& target, const std::string& id);
// Prints the token alone, so that a script can catch it.
int join_token(const AdminTarget& target, Duration ttl, bool once);
int join_token_list(const AdminTarget& target);
int join_token_revoke(const AdminTarget& target, const std::string& id);
int stake(const AdminTarget& target);

}  // namespace millrace::orchestrator::commands
