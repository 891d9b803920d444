#pragma once
// The statements that write the ledger. Internal to orchestrator/store.
//
// Inside a transaction of the caller's, always; they throw what Database::transaction() catches. Where the chain
// goes on is read from the file each time, so that a transaction that is rolled back leaves nothing behind.
//
// Thread: one at a time. Owner: Database.

#include <memory>
#include <string>

#include "orchestrator/store/ledger_chain.h"
#include "orchestrator/store/store.h"

namespace SQLite {
class Database;
class Statement;
}  // namespace SQLite

namespace millrace::orchestrator::store {

class LedgerWriter {
public:
    explicit LedgerWriter(SQLite::Database& db);
    ~LedgerWriter();
    LedgerWriter(const LedgerWriter&) = delete;
    LedgerWriter& operator=(const LedgerWriter&) = delete;

    // A transaction begins; ends for good. What it booked shows in view() from then on.
    void begin();
    void committed() { done_ = pending_; }
    [[nodiscard]] const LedgerView& view() const { return done_; }

    // Appends the segment's row unless it is there. Its time is the record's, or the last row's when that is
    // later: a clock that is set back must not put rows into a closed period.
    void book(const CommitRecord& record);
    // No row that is booked from here on is earlier.
    void raise_floor(WallTime floor);
    // Refused unless it follows the last one.
    void close(const ClosedPeriod& period);

private:
    SQLite::Database& db_;
    std::unique_ptr<SQLite::Statement> head_;
    std::unique_ptr<SQLite::Statement> insert_;
    std::unique_ptr<SQLite::Statement> advance_;
    LedgerView pending_;
    LedgerView done_;
};

// Chains the rows that an earlier version wrote.
void seal_ledger(SQLite::Database& db);

// The columns of a LedgerRow, then `chain`.
[[nodiscard]] std::string row_columns();
[[nodiscard]] LedgerRow row_of(SQLite::Statement& query);

// A column that holds a hash; all zero when it does not.
[[nodiscard]] Sha256 hash_of(const std::string& bytes);

}  // namespace millrace::orchestrator::store
