#pragma once
// The subcommands that talk to a running orchestrator over its admin API. Each prints a table, or with
// --json the answer as it came, and returns an exit code of contract.md, section 1.
//
// Thread: the caller's; blocking.

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/config/orchestrator_config.h"
#include "common/domain/account.h"
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
int trace(const AdminTarget& target, const std::string& session, std::uint64_t seq);
// Prints the key alone, so that a script can catch it; nobody can print it again.
int account_add(const AdminTarget& target, const std::string& name, const AccountLimits& limits,
                const std::vector<std::string>& streams);
int account_list(const AdminTarget& target);
int account_remove(const AdminTarget& target, const std::string& name);
int token_key_list(const AdminTarget& target);
int token_key_rotate(const AdminTarget& target);
int ledger(const AdminTarget& target, const config::LedgerQuestion& question);
int ledger_close(const AdminTarget& target, const std::string& until);
int ledger_periods(const AdminTarget& target);

}  // namespace millrace::orchestrator::commands
