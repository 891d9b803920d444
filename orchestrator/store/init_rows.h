#pragma once
// The rows of initialisation parts that fragments wait to be put behind. Internal to orchestrator/store; throws
// SQLite's exceptions, which Database catches.
//
// Thread: the database's.

#include <vector>

#include "orchestrator/store/database.h"

namespace SQLite {
class Database;
}

namespace millrace::orchestrator::store {

// Those that were used since then; older ones are removed.
[[nodiscard]] std::vector<InitRow> init_parts(SQLite::Database& db, WallTime since);
void write(SQLite::Database& db, const InitRow& row);
void write(SQLite::Database& db, const InitRemoval& row);

}  // namespace millrace::orchestrator::store
