#pragma once
// The row of the stake that was read last. Internal to orchestrator/store; throws SQLite's exceptions.
//
// Thread: the database's.

#include <optional>

#include "orchestrator/core/stake_policy.h"

namespace SQLite {
class Database;
}

namespace millrace::orchestrator::store {

[[nodiscard]] std::optional<KeptStake> kept_stake(SQLite::Database& db);
void keep_stake(SQLite::Database& db, const KeptStake& stake);

}  // namespace millrace::orchestrator::store
