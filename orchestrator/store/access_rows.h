#pragma once
// Rows of accounts and of the keys that sign tokens. Internal to orchestrator/store; throws SQLite's
// exceptions, which Database catches.
//
// Thread: the database's.

#include <vector>

#include "orchestrator/store/database.h"

namespace SQLite {
class Database;
}

namespace millrace::orchestrator::store::access {

[[nodiscard]] std::vector<Account> accounts(SQLite::Database& db);        // by name
[[nodiscard]] std::vector<TokenKeyRow> token_keys(SQLite::Database& db);  // newest first

void write(SQLite::Database& db, const Account& account);
void write(SQLite::Database& db, const AccountRemoval& row);
void write(SQLite::Database& db, const TokenKeyRow& row);
void write(SQLite::Database& db, const TokenKeyRemoval& row);

}  // namespace millrace::orchestrator::store::access
