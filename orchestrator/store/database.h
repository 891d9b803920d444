#pragma once
// Database: the SQLite file of a data directory, and every statement that is run on it. It knows rows and
// transactions, not threads and queues (sqlite_store.h does). Internal to orchestrator/store.
//
// Errors of SQLite come out of here as Failure; other exceptions do not.
//
// Thread: one at a time. Owner: SqliteStore.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "orchestrator/store/data_dir.h"
#include "orchestrator/store/store.h"

namespace millrace::orchestrator::store {

// What a failed write calls for.
enum class FailureKind : std::uint8_t {
    statement,  // this row cannot be written; others can
    passing,    // the disk is full, or somebody holds the file: try again later
    fatal,      // the disk or the file is broken: nothing more is written by this process
};

struct Failure {
    FailureKind kind = FailureKind::fatal;
    std::string message;
};

struct AccountRemoval {
    AccountId name;
};
struct TokenKeyRemoval {
    std::uint32_t id = 0;
};

// Writes nothing: what its callback waits for is in the same transaction, or in one before it.
struct SessionsWritten {};

struct InitRemoval {
    AccountId account;
    StreamName stream;
};

struct LedgerFloor {
    WallTime floor;
};

class Database {
public:
    // Opens or makes the file, brings its tables up to date and raises the epoch, durably.
    // bad_input, naming --data-dir: not our file, or a later version's.
    [[nodiscard]] static Result<std::unique_ptr<Database>> open(const DataDir& directory);
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    // Everything a start finds, of sessions those touched since `since`.
    [[nodiscard]] Result<Restored> restore(WallTime since);

    // Runs `writes` in one transaction; success means synchronised to disk, else nothing of it is left.
    [[nodiscard]] std::optional<Failure> transaction(const std::function<void()>& writes);

    // As of the last transaction that succeeded.
    [[nodiscard]] LedgerView ledger() const;

    // Inside a transaction. They throw what transaction() catches.
    void write(const CommitRecord& record);
    void write(const LedgerFloor& row);
    void write(const ClosedPeriod& period);
    void write(const SessionRow& row);
    void write(const JoinTokenRow& row);
    void write(const EnrolmentRow& row);
    void write(const Account& account);
    void write(const AccountRemoval& row);
    void write(const TokenKeyRow& row);
    void write(const TokenKeyRemoval& row);
    void write(const KeptStake& stake);
    void write(const InitRow& row);
    void write(const InitRemoval& row);
    void write(const SessionsWritten& /*row*/) {}
    // Enough bytes to notice whether the disk has room again.
    void write_probe();

private:
    struct Impl;
    explicit Database(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::orchestrator::store
