#include "orchestrator/store/ledger.h"

#include <filesystem>
#include <map>
#include <unordered_map>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>

#include "orchestrator/store/ledger_impl.h"
#include "orchestrator/store/ledger_rows.h"
#include "orchestrator/store/schema.h"
#include "orchestrator/store/statement_use.h"

namespace millrace::orchestrator::store {
namespace {

constexpr int kBusyMs = 5'000;
constexpr std::int64_t kRowsBetweenLooks = 4096;
constexpr const char* kTotals =
    "duration_us, decoded_frames, decoded_pixels, encoded_frames, encoded_pixels, source_bytes, "
    "encoded_bytes ";

Error refusal(const std::string& sentence) {
    return error(ErrorKind::bad_input, "--data-dir: " + sentence);
}

// The seven columns of kTotals from `at` on.
LedgerTotals totals_at(SQLite::Statement& query, int at, std::int64_t segments) {
    LedgerTotals totals;
    totals.segments = segments;
    for (std::int64_t* value : {&totals.duration_us, &totals.decoded_frames, &totals.decoded_pixels,
                                &totals.encoded_frames, &totals.encoded_pixels,
                                &totals.source_bytes, &totals.encoded_bytes})
        *value = query.getColumn(at++).getInt64();
    return totals;
}

void add(LedgerTotals& sum, const LedgerTotals& more) {
    if (!sum.add(more))
        throw Refused{error(ErrorKind::overloaded,
                            "a sum does not fit 64 bits: ask for a shorter time (since, until)")};
}

void check_count(std::size_t lines) {
    if (lines > kLedgerLinesMax)
        throw Refused{error(ErrorKind::overloaded, "more than " + std::to_string(kLedgerLinesMax) +
                                                       " lines: ask for a shorter time")};
}

void bind_range(SQLite::Statement& query, const LedgerRange& range) {
    query.bind(1, range.since ? range.since->ms : INT64_MIN);
    query.bind(2, range.until ? range.until->ms : INT64_MAX);
}

const char* column_of(LedgerBy by) {
    return by == LedgerBy::session ? "session" : by == LedgerBy::account ? "account" : "transcoder";
}

}  // namespace

// ---- one question ----

Ledger::Impl::Impl(const std::string& file, std::stop_token stop_asked)
    : db(std::make_unique<SQLite::Database>(file, SQLite::OPEN_READONLY, kBusyMs)),
      stop(std::move(stop_asked)) {}
Ledger::Impl::~Impl() = default;

template <class T>
Result<T> Ledger::Impl::ask(const std::function<T()>& question) {
    try {
        const SQLite::Transaction moment(*db);
        return question();
    } catch (const Refused& refused) {
        return refused.error;
    } catch (const std::exception& problem) {
        return error(ErrorKind::internal,
                     std::string("the ledger cannot be read: ") + problem.what());
    }
}
template Result<LedgerCheck> Ledger::Impl::ask(const std::function<LedgerCheck()>&);
template Result<std::vector<std::string>> Ledger::Impl::ask(
    const std::function<std::vector<std::string>()>&);

bool Ledger::Impl::stopping(std::int64_t row) const {
    if (row % kRowsBetweenLooks == 0 && stop.stop_requested())
        throw Refused{error(ErrorKind::overloaded, "the orchestrator is stopping")};
    return false;
}

Result<std::unique_ptr<Ledger>> Ledger::open(const std::string& data_dir, std::stop_token stop) {
    const std::string file = data_dir + "/millrace.db";
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored))
        return refusal("no database in " + data_dir);
    try {
        auto impl = std::make_unique<Impl>(file, std::move(stop));
        if (impl->db->execAndGet("PRAGMA application_id").getInt() != kApplicationId)
            return refusal(file + " is not an orchestrator's database");
        const int version = impl->db->execAndGet("PRAGMA user_version");
        const int known = static_cast<int>(kMigrations.size());
        if (version != known)
            return refusal(
                file + (version > known
                            ? " was written by a later version of the orchestrator"
                            : " was written by an earlier version: start this one on it first"));
        return std::unique_ptr<Ledger>(new Ledger(std::move(impl)));
    } catch (const SQLite::Exception& problem) {
        return refusal("cannot use " + file + ": " + problem.what());
    }
}

Ledger::Ledger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ledger::~Ledger() = default;

// ---- sums ----

Result<LedgerSums> Ledger::sums(LedgerBy by, const LedgerRange& range) {
    return impl_->ask<LedgerSums>([&] {
        SQLite::Statement rows(
            *impl_->db, std::string("SELECT ") + column_of(by) + ", transcoder_name, " + kTotals +
                            "FROM segments WHERE committed_ms >= ? AND committed_ms < ? "
                            "ORDER BY committed_ms");
        bind_range(rows, range);
        std::map<std::string, LedgerLine> lines;
        LedgerSums sums;
        for (std::int64_t row = 0; rows.executeStep() && !impl_->stopping(row); ++row) {
            const std::string id = rows.getColumn(0).getString();
            LedgerLine& line = lines[id];
            check_count(lines.size());
            if (by == LedgerBy::transcoder)
                line.name = rows.getColumn(1).getString();
            const LedgerTotals one = totals_at(rows, 2, 1);
            add(line.totals, one);
            add(sums.total, one);
        }
        SQLite::Statement stream(*impl_->db, "SELECT stream FROM sessions WHERE id = ?");
        for (auto& [id, line] : lines) {
            line.id = id;
            if (by == LedgerBy::session) {
                const Use use(stream);
                stream.bind(1, id);
                if (stream.executeStep())
                    line.name = stream.getColumn(0).getString();
            }
            sums.lines.push_back(std::move(line));
        }
        return sums;
    });
}

LedgerHead Ledger::Impl::head() {
    SQLite::Statement query(*db, "SELECT position, chain FROM ledger_head");
    if (!query.executeStep())
        throw Refused{error(ErrorKind::internal, "the ledger has no head")};
    return {query.getColumn(0).getInt64(), hash_of(query.getColumn(1).getString())};
}

Result<LedgerHead> Ledger::head() {
    return impl_->ask<LedgerHead>([this] { return impl_->head(); });
}

// ---- periods ----

std::vector<PeriodLine> Ledger::Impl::lines(WallTime from, WallTime until) {
    SQLite::Statement rows(*db, std::string("SELECT account, transcoder, transcoder_name, ") +
                                    kTotals +
                                    "FROM segments WHERE committed_ms >= ? AND committed_ms < ? "
                                    "ORDER BY committed_ms");
    bind_range(rows, {from, until});
    std::map<std::pair<std::string, std::string>, PeriodLine> found;
    LedgerTotals total;
    for (std::int64_t row = 0; rows.executeStep() && !stopping(row); ++row) {
        std::string account = rows.getColumn(0).getString();
        std::string transcoder = rows.getColumn(1).getString();
        PeriodLine& line = found[{account, transcoder}];
        check_count(found.size());
        line.account.value = std::move(account);
        line.transcoder.value = std::move(transcoder);
        line.transcoder_name = rows.getColumn(2).getString();
        const LedgerTotals one = totals_at(rows, 3, 1);
        add(line.totals, one);
        add(total, one);  // what people add up later has to fit as well
    }
    std::vector<PeriodLine> lines;
    for (auto& [key, line] : found)
        lines.push_back(std::move(line));
    return lines;
}

std::vector<PeriodLine> Ledger::Impl::stored_lines(std::int64_t period) {
    SQLite::Statement query(
        *db, std::string("SELECT account, transcoder, transcoder_name, segments, ") + kTotals +
                 "FROM period_totals WHERE period = ? ORDER BY account, transcoder");
    query.bind(1, period);
    std::vector<PeriodLine> lines;
    while (query.executeStep())
        lines.push_back({AccountId{query.getColumn(0).getString()},
                         TranscoderKey{query.getColumn(1).getString()},
                         query.getColumn(2).getString(),
                         totals_at(query, 4, query.getColumn(3).getInt64())});
    return lines;
}

std::vector<ClosedPeriod> Ledger::Impl::periods() {
    SQLite::Statement query(*db,
                            "SELECT number, from_ms, until_ms, closed_ms, position, chain "
                            "FROM periods ORDER BY number");
    std::vector<ClosedPeriod> found;
    while (query.executeStep()) {
        ClosedPeriod period;
        period.number = query.getColumn(0).getInt64();
        period.from.ms = query.getColumn(1).getInt64();
        period.until.ms = query.getColumn(2).getInt64();
        period.closed_at.ms = query.getColumn(3).getInt64();
        period.position = query.getColumn(4).getInt64();
        period.chain = hash_of(query.getColumn(5).getString());
        found.push_back(std::move(period));
    }
    return found;
}

Result<std::vector<ClosedPeriod>> Ledger::periods() {
    return impl_->ask<std::vector<ClosedPeriod>>([this] { return impl_->periods(); });
}

Result<ClosedPeriod> Ledger::period(std::int64_t number) {
    return impl_->ask<ClosedPeriod>([&] {
        for (ClosedPeriod& period : impl_->periods())
            if (period.number == number) {
                period.lines = impl_->stored_lines(number);
                return period;
            }
        throw Refused{error(ErrorKind::bad_input, "there is no period " + std::to_string(number))};
    });
}

Result<ClosedPeriod> Ledger::draft(WallTime until, WallTime now) {
    return impl_->ask<ClosedPeriod>([&] {
        const auto closed = impl_->periods();
        ClosedPeriod period;
        period.number = closed.empty() ? 1 : closed.back().number + 1;
        period.from = closed.empty() ? WallTime{0} : closed.back().until;
        period.until = until;
        period.closed_at = now;
        if (until <= period.from)
            throw Refused{error(ErrorKind::bad_input, "everything up to then is closed already")};
        period.lines = impl_->lines(period.from, period.until);
        SQLite::Statement last(*impl_->db,
                               "SELECT position, chain FROM segments WHERE committed_ms < ? "
                               "ORDER BY committed_ms DESC, position DESC LIMIT 1");
        last.bind(1, until.ms);
        if (last.executeStep()) {
            period.position = last.getColumn(0).getInt64();
            period.chain = hash_of(last.getColumn(1).getString());
        }
        return period;
    });
}

}  // namespace millrace::orchestrator::store
