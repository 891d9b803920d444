#pragma once
// What Ledger's questions share. Internal to orchestrator/store.

#include <functional>

#include "orchestrator/store/ledger.h"

namespace SQLite {
class Database;
class Statement;
}  // namespace SQLite

namespace millrace::orchestrator::store {

struct Ledger::Impl {
    Impl(const std::string& file, std::stop_token stop_asked);
    ~Impl();

    // Runs `question` on one moment of the database; what it or SQLite throws becomes an error.
    template <class T>
    [[nodiscard]] Result<T> ask(const std::function<T()>& question);

    // True now and then, when somebody wants this to end.
    [[nodiscard]] bool stopping(std::int64_t row) const;

    [[nodiscard]] LedgerHead head();
    // Totals by account and transcoder of the rows in that time, in order.
    [[nodiscard]] std::vector<PeriodLine> lines(WallTime from, WallTime until);
    [[nodiscard]] std::vector<PeriodLine> stored_lines(std::int64_t period);
    [[nodiscard]] std::vector<ClosedPeriod> periods();

    std::unique_ptr<SQLite::Database> db;
    std::stop_token stop;
};

// Carries an error out of a question.
struct Refused {
    Error error;
};

}  // namespace millrace::orchestrator::store
