#include "orchestrator/store/ledger_rows.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include <SQLiteCpp/SQLiteCpp.h>

#include "orchestrator/store/rows.h"
#include "orchestrator/store/statement_use.h"

namespace millrace::orchestrator::store {
namespace {

std::int64_t stored(std::uint64_t number) {
    return static_cast<std::int64_t>(number);
}

void bind_hash(SQLite::Statement& statement, int at, const Sha256& hash) {
    statement.bind(at, hash.data(), static_cast<int>(hash.size()));
}

LedgerRow row_of(const CommitRecord& record) {
    const SegmentKey& key = record.segment;
    const RenditionTotals totals = totals_of(record.report);
    LedgerRow row;
    row.session = key.session.value;
    row.run = stored(key.run);
    row.seq = stored(key.seq);
    row.sha256.assign(key.sha256.begin(), key.sha256.end());
    row.account = record.account.value;
    row.transcoder = record.transcoder.value;
    row.transcoder_name = record.transcoder_name;
    row.source_bytes = stored(record.source_bytes);
    row.duration_us =
        std::chrono::duration_cast<std::chrono::microseconds>(record.report.source.duration)
            .count();
    row.decoded_frames = record.report.source.frames;
    row.decoded_pixels = record.report.source.pixels;
    row.encoded_frames = totals.frames;
    row.encoded_pixels = totals.pixels;
    row.encoded_bytes = totals.bytes;
    row.renditions = renditions_json(record.report);
    row.committed_ms = record.committed_at.ms;
    if (record.receipt)
        row.receipt = stored_form(*record.receipt);
    return row;
}

void bind_row(SQLite::Statement& statement, const LedgerRow& row) {
    const auto blob = [&statement](int at, const std::string& bytes) {
        statement.bind(at, bytes.data(), static_cast<int>(bytes.size()));
    };
    statement.bind(1, row.position);
    statement.bind(2, row.session);
    statement.bind(3, row.run);
    statement.bind(4, row.seq);
    blob(5, row.sha256);
    statement.bind(6, row.account);
    statement.bind(7, row.transcoder);
    statement.bind(8, row.transcoder_name);
    statement.bind(9, row.source_bytes);
    statement.bind(10, row.duration_us);
    statement.bind(11, row.decoded_frames);
    statement.bind(12, row.decoded_pixels);
    statement.bind(13, row.encoded_frames);
    statement.bind(14, row.encoded_pixels);
    statement.bind(15, row.encoded_bytes);
    statement.bind(16, row.renditions);
    statement.bind(17, row.committed_ms);
    if (row.receipt)
        blob(18, *row.receipt);
}

}  // namespace

LedgerWriter::LedgerWriter(SQLite::Database& db)
    : db_(db),
      head_(std::make_unique<SQLite::Statement>(
          db, "SELECT position, chain, floor_ms FROM ledger_head")),
      insert_(std::make_unique<SQLite::Statement>(
          db,
          "INSERT INTO segments VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) "
          "ON CONFLICT (session, run, seq, sha256) DO NOTHING")),
      advance_(std::make_unique<SQLite::Statement>(
          db, "UPDATE ledger_head SET position = ?1, chain = ?2, floor_ms = ?3")) {}
LedgerWriter::~LedgerWriter() = default;

void LedgerWriter::begin() {
    if (done_.head.rows == 0) {
        const Use head(*head_);
        if (head->executeStep())
            done_.head = {head->getColumn(0).getInt64(), hash_of(head->getColumn(1).getString())};
    }
    pending_ = done_;
}

void LedgerWriter::book(const CommitRecord& record) {
    LedgerRow row = row_of(record);
    Sha256 chain{};
    {
        const Use head(*head_);
        if (!head->executeStep())
            throw std::runtime_error("the ledger has no head");
        row.position = head->getColumn(0).getInt64() + 1;
        row.committed_ms = std::max(row.committed_ms, head->getColumn(2).getInt64());
        chain = chained(hash_of(head->getColumn(1).getString()), row);
    }
    const Use insert(*insert_);
    bind_row(*insert_, row);
    bind_hash(*insert_, 19, chain);
    if (insert->exec() == 0)
        return;  // booked already
    const Use advance(*advance_);
    advance->bind(1, row.position);
    bind_hash(*advance_, 2, chain);
    advance->bind(3, row.committed_ms);
    advance->exec();
    (void)pending_.booked.add(
        totals_of(row));  // at the end of 64 bits the counters of a process stand still
    pending_.head = {row.position, chain};
}

void LedgerWriter::raise_floor(WallTime floor) {
    SQLite::Statement raise(db_, "UPDATE ledger_head SET floor_ms = max(floor_ms, ?)");
    raise.bind(1, floor.ms);
    raise.exec();
}

void LedgerWriter::close(const ClosedPeriod& period) {
    SQLite::Statement last(
        db_, "SELECT number, until_ms, seal FROM periods ORDER BY number DESC LIMIT 1");
    const bool any = last.executeStep();
    const std::int64_t before = any ? last.getColumn(0).getInt64() : 0;
    const std::int64_t from = any ? last.getColumn(1).getInt64() : 0;
    if (period.number != before + 1 || period.from.ms != from || period.until.ms <= from)
        throw std::runtime_error("the period does not follow the last one");
    if (db_.execAndGet("SELECT floor_ms FROM ledger_head").getInt64() < period.until.ms)
        throw std::runtime_error("rows may still be booked before the period's end");
    const Sha256 seal = sealed(any ? hash_of(last.getColumn(2).getString()) : Sha256{}, period);
    SQLite::Statement insert(db_, "INSERT INTO periods VALUES (?,?,?,?,?,?,?)");
    insert.bind(1, period.number);
    insert.bind(2, period.from.ms);
    insert.bind(3, period.until.ms);
    insert.bind(4, period.closed_at.ms);
    insert.bind(5, period.position);
    bind_hash(insert, 6, period.chain);
    bind_hash(insert, 7, seal);
    insert.exec();
    SQLite::Statement line(db_, "INSERT INTO period_totals VALUES (?,?,?,?,?,?,?,?,?,?,?,?)");
    for (const PeriodLine& one : period.lines) {
        const Use use(line);
        const LedgerTotals& t = one.totals;
        int at = 0;
        line.bind(++at, period.number);
        line.bind(++at, one.account.value);
        line.bind(++at, one.transcoder.value);
        line.bind(++at, one.transcoder_name);
        for (const std::int64_t value :
             {t.segments, t.duration_us, t.decoded_frames, t.decoded_pixels, t.encoded_frames,
              t.encoded_pixels, t.source_bytes, t.encoded_bytes})
            line.bind(++at, value);
        line.exec();
    }
}

std::string row_columns() {
    return "position, session, run, seq, sha256, account, transcoder, transcoder_name, "
           "source_bytes, "
           "duration_us, decoded_frames, decoded_pixels, encoded_frames, encoded_pixels, "
           "encoded_bytes, renditions, committed_ms, receipt, chain";
}

LedgerRow row_of(SQLite::Statement& query) {
    LedgerRow row;
    row.position = query.getColumn(0).getInt64();
    row.session = query.getColumn(1).getString();
    row.run = query.getColumn(2).getInt64();
    row.seq = query.getColumn(3).getInt64();
    row.sha256 = query.getColumn(4).getString();
    row.account = query.getColumn(5).getString();
    row.transcoder = query.getColumn(6).getString();
    row.transcoder_name = query.getColumn(7).getString();
    row.source_bytes = query.getColumn(8).getInt64();
    row.duration_us = query.getColumn(9).getInt64();
    row.decoded_frames = query.getColumn(10).getInt64();
    row.decoded_pixels = query.getColumn(11).getInt64();
    row.encoded_frames = query.getColumn(12).getInt64();
    row.encoded_pixels = query.getColumn(13).getInt64();
    row.encoded_bytes = query.getColumn(14).getInt64();
    row.renditions = query.getColumn(15).getString();
    row.committed_ms = query.getColumn(16).getInt64();
    if (!query.getColumn(17).isNull())
        row.receipt = query.getColumn(17).getString();
    return row;
}

Sha256 hash_of(const std::string& bytes) {
    Sha256 hash{};
    if (bytes.size() == hash.size())
        std::copy(bytes.begin(), bytes.end(), hash.begin());
    return hash;
}

void seal_ledger(SQLite::Database& db) {
    SQLite::Statement rows(db, "SELECT " + row_columns() + " FROM segments ORDER BY position");
    SQLite::Statement write(db, "UPDATE segments SET chain = ?2 WHERE position = ?1");
    Sha256 chain{};
    LedgerRow row;
    while (rows.executeStep()) {
        row = row_of(rows);
        chain = chained(chain, row);
        const Use use(write);
        write.bind(1, row.position);
        bind_hash(write, 2, chain);
        write.exec();
    }
    SQLite::Statement head(
        db, "UPDATE ledger_head SET position = ?1, chain = ?2, floor_ms = max(floor_ms, ?3)");
    head.bind(1, row.position);
    bind_hash(head, 2, chain);
    head.bind(3, row.committed_ms);
    head.exec();
}

}  // namespace millrace::orchestrator::store
