// Ledger::verify: everything that can be recomputed is recomputed.

#include <algorithm>
#include <set>
#include <tuple>

#include <SQLiteCpp/SQLiteCpp.h>

#include "common/base/hex.h"
#include "orchestrator/store/ledger_impl.h"
#include "orchestrator/store/ledger_receipts.h"
#include "orchestrator/store/ledger_rows.h"

namespace millrace::orchestrator::store {
namespace {

std::string row_words(const LedgerRow& row) {
    return "row " + std::to_string(row.position) + " (session " + row.session + ", segment " +
           std::to_string(static_cast<std::uint64_t>(row.seq)) + ")";
}

// Carries the first problem out of the walk.
struct Wrong {
    std::string sentence;
};

class Walk {
public:
    Walk(Ledger::Impl& ledger, const std::vector<Sha256>& heads)
        : ledger_(ledger),
          receipts_(*ledger.db),
          wanted_(heads.begin(), heads.end()),
          periods_(ledger.periods()) {}

    LedgerCheck run() {
        LedgerCheck check;
        try {
            rows();
            end();
            periods();
        } catch (const Wrong& wrong) {
            check.problem = wrong.sentence;
        }
        check.head = found_;
        check.receipts = signed_;
        check.periods = static_cast<std::int64_t>(periods_.size());
        return check;
    }

private:
    void rows() {
        SQLite::Statement query(*ledger_.db,
                                "SELECT " + row_columns() + " FROM segments ORDER BY position");
        at_row(0);
        while (query.executeStep() && !ledger_.stopping(found_.rows)) {
            const LedgerRow row = row_of(query);
            if (row.position != found_.rows + 1)
                throw Wrong{"row " + std::to_string(found_.rows + 1) + " is missing"};
            const Sha256 chain = chained(found_.chain, row);
            const std::string stored = query.getColumn(18).getString();
            if (stored.size() != chain.size() || hash_of(stored) != chain)
                throw Wrong{row_words(row) + " was changed, or one before it replaced"};
            if (row.committed_ms < last_ms_)
                throw Wrong{row_words(row) + " is earlier than the one before it"};
            if (const auto problem = receipts_.problem(row))
                throw Wrong{row_words(row) + ": its receipt " + *problem};
            signed_ += row.receipt ? 1 : 0;
            last_ms_ = row.committed_ms;
            found_ = {row.position, chain};
            at_row(row.position);
        }
    }

    void at_row(std::int64_t position) {
        wanted_.erase(found_.chain);
        for (; next_ < periods_.size() && periods_[next_].position == position; ++next_)
            if (periods_[next_].chain != found_.chain)
                throw Wrong{"period " + std::to_string(periods_[next_].number) +
                            " was closed on other rows than these"};
    }

    void end() {
        if (ledger_.head() != found_)
            throw Wrong{"rows after row " + std::to_string(found_.rows) + " are missing"};
        if (!wanted_.empty())
            throw Wrong{"no row has the head " + to_hex(*wanted_.begin()) +
                        ": the ledger was rewritten since, or it is another one's"};
    }

    void periods() {
        SQLite::Statement seals(*ledger_.db, "SELECT seal FROM periods ORDER BY number");
        Sha256 seal{};
        WallTime from{0};
        std::int64_t number = 0;
        for (ClosedPeriod& period : periods_) {
            const std::string who = "period " + std::to_string(period.number);
            period.lines = ledger_.stored_lines(period.number);
            seal = sealed(seal, period);
            if (!seals.executeStep() || hash_of(seals.getColumn(0).getString()) != seal)
                throw Wrong{who + " was changed"};
            if (period.number != ++number || period.from != from)
                throw Wrong{who + " does not follow the one before it"};
            if (period.position > found_.rows)
                throw Wrong{who + " ends on a row that is missing"};
            if (period.lines != ledger_.lines(period.from, period.until))
                throw Wrong{who + " has other sums than its rows"};
            from = period.until;
        }
    }

    Ledger::Impl& ledger_;
    ReceiptJudge receipts_;
    std::set<Sha256> wanted_;
    std::vector<ClosedPeriod> periods_;
    std::size_t next_ = 0;  // the first whose last row was not reached
    LedgerHead found_;
    std::int64_t signed_ = 0;
    std::int64_t last_ms_ = INT64_MIN;
};

}  // namespace

Result<LedgerCheck> Ledger::verify(const std::vector<Sha256>& heads) {
    return impl_->ask<LedgerCheck>([&] { return Walk(*impl_, heads).run(); });
}

}  // namespace millrace::orchestrator::store
