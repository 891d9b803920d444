#include "orchestrator/store/database.h"

#include <cerrno>
#include <chrono>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include "common/config/ladder_json.h"
#include "common/net/keys.h"
#include "orchestrator/store/access_rows.h"
#include "orchestrator/store/init_rows.h"
#include "orchestrator/store/ledger_receipts.h"
#include "orchestrator/store/ledger_rows.h"
#include "orchestrator/store/schema.h"
#include "orchestrator/store/stake_row.h"
#include "orchestrator/store/statement_use.h"

namespace millrace::orchestrator::store {
namespace {

constexpr std::string_view kFile = "millrace.db";
constexpr int kBusyMs = 5'000;  // somebody reads our file with another program
constexpr std::size_t kProbeBytes = 64 * 1024;
// A file up to this size is read through at a start (tens of milliseconds); a larger one would keep broadcasters
// waiting longer than a restart may take.
constexpr std::int64_t kCheckedBytesMax = 64LL << 20;
constexpr std::int64_t kSessionsRestoredMax = 8192;
constexpr std::size_t kHmacBytes = 32;
constexpr std::size_t kAdminTokenBytes = 16;

Error refusal(const std::string& sentence) {
    return error(ErrorKind::bad_input, "--data-dir: " + sentence);
}

bool no_room(int system_errno) {
    return system_errno == ENOSPC || system_errno == EDQUOT || system_errno == EFBIG;
}

// errno of the write that failed last. sqlite3_system_errno() says 0 by the time we can ask; the files know.
int last_errno(sqlite3* db) {
    int main_file = 0;
    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &main_file);
    sqlite3_file* log = nullptr;
    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    int log_file = 0;
    if (log != nullptr && log->pMethods != nullptr)
        (void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &log_file);
    return log_file != 0 ? log_file : main_file;
}

FailureKind kind_of(int code, int system_errno) {
    switch (code & 0xFF) {
        case SQLITE_FULL:
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_NOMEM:
            return FailureKind::passing;
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
            return no_room(system_errno) ? FailureKind::passing : FailureKind::fatal;
        case SQLITE_CONSTRAINT:
        case SQLITE_TOOBIG:
        case SQLITE_RANGE:
        case SQLITE_MISMATCH:
            return FailureKind::statement;
        default:
            return FailureKind::fatal;
    }
}

std::int64_t stored(std::uint64_t number) {
    return static_cast<std::int64_t>(number);
}

}  // namespace

struct Database::Impl {
    explicit Impl(const std::string& file) : db(file, SQLite::OPEN_READWRITE, kBusyMs) {}

    SQLite::Database db;
    std::unique_ptr<LedgerWriter> ledger;
    std::unique_ptr<SQLite::Statement> touch_session;
    std::unique_ptr<SQLite::Statement> count_on_stream;
    std::unique_ptr<SQLite::Statement> session;
    Epoch epoch;

    Result<void> prepare_file(const std::string& file);
    void migrate(int version);
    void raise_epoch();
    void prepare_statements();
    std::string secret(const char* name, const std::function<std::string()>& make);
    Identity identity();
    std::vector<RestoredSession> sessions(WallTime since);
    std::vector<JoinTokenRow> tokens();
    std::vector<EnrolmentRow> enrolments();
};

// ---- opening ----

Result<void> Database::Impl::prepare_file(const std::string& file) {
    const int owner = db.execAndGet("PRAGMA application_id");
    const int version = db.execAndGet("PRAGMA user_version");
    const int tables = db.execAndGet("SELECT count(*) FROM sqlite_master");
    if (owner != kApplicationId && (owner != 0 || tables != 0))
        return refusal(file + " is not an orchestrator's database");
    if (version > static_cast<int>(kMigrations.size()))
        return refusal(file + " was written by a later version of the orchestrator");
    if (db.execAndGet("PRAGMA journal_mode = WAL").getString() != "wal")
        return refusal(file + " is on a file system that cannot hold a database in use");
    db.exec("PRAGMA synchronous = FULL");
    db.exec("PRAGMA secure_delete = ON");  // a forgotten key is overwritten
    const std::int64_t bytes = db.execAndGet("PRAGMA page_count").getInt64() *
                               db.execAndGet("PRAGMA page_size").getInt64();
    if (bytes <= kCheckedBytesMax)
        if (const auto found = db.execAndGet("PRAGMA quick_check(1)").getString(); found != "ok")
            return refusal(file + " is damaged (" + found + "): restore a backup");
    migrate(version);
    raise_epoch();
    return {};
}

void Database::Impl::migrate(int version) {
    for (std::size_t i = static_cast<std::size_t>(version); i < kMigrations.size(); ++i) {
        SQLite::Transaction transaction(db, SQLite::TransactionBehavior::IMMEDIATE);
        db.exec(kMigrations[i]);
        if (i + 1 == static_cast<std::size_t>(kLedgerVersion))
            seal_ledger(db);
        db.exec("PRAGMA application_id = " + std::to_string(kApplicationId));
        db.exec("PRAGMA user_version = " + std::to_string(i + 1));
        transaction.commit();
    }
}

void Database::Impl::raise_epoch() {
    SQLite::Transaction transaction(db, SQLite::TransactionBehavior::IMMEDIATE);
    db.exec(
        "INSERT INTO meta VALUES ('epoch', 1) ON CONFLICT (key) DO UPDATE SET value = value + 1");
    epoch = Epoch{static_cast<std::uint64_t>(
        db.execAndGet("SELECT value FROM meta WHERE key = 'epoch'").getInt64())};
    transaction.commit();
}

void Database::Impl::prepare_statements() {
    ledger = std::make_unique<LedgerWriter>(db);
    ledger->begin();
    ledger->committed();
    // What a restart resumes from moves with the ledger, in the same transaction.
    touch_session = std::make_unique<SQLite::Statement>(
        db,
        "UPDATE sessions SET run = ?2, last_seq = ?3, updated_ms = max(updated_ms, ?4) WHERE id = "
        "?1 AND "
        "(run < ?2 OR (run = ?2 AND (last_seq IS NULL OR last_seq < ?3)))");
    count_on_stream = std::make_unique<SQLite::Statement>(
        db,
        "INSERT INTO streams VALUES (?1, 1, ?2) ON CONFLICT (stream) DO UPDATE SET committed = "
        "committed + 1, updated_ms = ?2");
    session = std::make_unique<SQLite::Statement>(
        db,
        "INSERT INTO sessions VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?8) ON CONFLICT (id) DO UPDATE SET "
        "stream = ?2, "
        "account = ?3, ladder = ?4, run = ?5, last_seq = ?6, ended = ?7, updated_ms = ?8");
}

Result<std::unique_ptr<Database>> Database::open(const DataDir& directory) {
    const std::string file = directory.file(kFile);
    MR_TRY(directory.make(kFile));
    try {
        auto impl = std::make_unique<Impl>(file);
        MR_TRY(impl->prepare_file(file));
        impl->prepare_statements();
        return std::unique_ptr<Database>(new Database(std::move(impl)));
    } catch (const SQLite::Exception& problem) {
        const bool foreign = (problem.getErrorCode() & 0xFF) == SQLITE_NOTADB;
        return refusal(foreign ? file + " is not an orchestrator's database"
                               : "cannot use " + file + ": " + problem.what());
    }
}

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::~Database() = default;

// ---- reading ----

std::string Database::Impl::secret(const char* name, const std::function<std::string()>& make) {
    SQLite::Statement find(db,
                           "SELECT value FROM secrets WHERE name = ? ORDER BY key_id DESC LIMIT 1");
    find.bind(1, name);
    if (find.executeStep())
        return find.getColumn(0).getString();
    std::string fresh = make();
    SQLite::Statement insert(db, "INSERT INTO secrets VALUES (?, 1, ?, unixepoch() * 1000)");
    insert.bind(1, name);
    insert.bind(2, fresh.data(), static_cast<int>(fresh.size()));
    insert.exec();
    return fresh;
}

Identity Database::Impl::identity() {
    SQLite::Transaction transaction(db, SQLite::TransactionBehavior::IMMEDIATE);
    Identity identity;
    identity.curve_secret_z85 = secret("curve", [] {
        // Z85 writes 32 bytes, whichever half of a pair they are.
        return net::PublicKey{net::make_key_pair().secret_key.reveal()}.z85();
    });
    (void)secret("session_hmac", [] {
        std::vector<std::uint8_t> bytes(kHmacBytes);
        net::fill_random(bytes);
        return std::string(bytes.begin(), bytes.end());
    });
    identity.token_keys = access::token_keys(db);
    identity.admin_token = secret("admin", [] { return net::random_hex(kAdminTokenBytes); });
    transaction.commit();
    return identity;
}

std::vector<RestoredSession> Database::Impl::sessions(WallTime since) {
    SQLite::Statement query(
        db,
        "SELECT id, sessions.stream, account, ladder, run, last_seq, ended, coalesce(committed, 0) "
        "FROM sessions LEFT JOIN streams ON streams.stream = sessions.stream "
        "WHERE sessions.updated_ms >= ? ORDER BY ended, sessions.updated_ms DESC LIMIT ?");
    SQLite::Statement latest(
        db, "SELECT run, seq FROM segments WHERE session = ? ORDER BY run DESC, seq DESC LIMIT 1");
    query.bind(1, since.ms);
    query.bind(2, kSessionsRestoredMax);
    std::vector<RestoredSession> rows;
    while (query.executeStep()) {
        RestoredSession row;
        row.id = SessionId{query.getColumn(0).getString()};
        row.stream = StreamName{query.getColumn(1).getString()};
        row.account = AccountId{query.getColumn(2).getString()};
        const auto ladder = config::parse_ladder(query.getColumn(3).getString());
        if (!ladder)
            continue;  // a field that this version no longer knows: such a session cannot go on
        row.ladder = *ladder;
        row.run = query.getColumn(4).getUInt();
        row.has_seq = !query.getColumn(5).isNull();
        row.last_seq = static_cast<std::uint64_t>(query.getColumn(5).getInt64());
        row.ended = query.getColumn(6).getInt() != 0;
        row.stream_segments = static_cast<std::uint64_t>(query.getColumn(7).getInt64());
        const Use last(latest);
        last->bind(1, row.id.value);
        if (last->executeStep())
            row.committed = {last->getColumn(0).getUInt(),
                             static_cast<std::uint64_t>(last->getColumn(1).getInt64())};
        rows.push_back(std::move(row));
    }
    return rows;
}

std::vector<JoinTokenRow> Database::Impl::tokens() {
    SQLite::Statement query(db,
                            "SELECT id, enrolment_key, created_ms, expires_ms, once, revoked FROM "
                            "join_tokens ORDER BY created_ms");
    std::vector<JoinTokenRow> rows;
    while (query.executeStep())
        rows.push_back({query.getColumn(0).getString(), query.getColumn(1).getString(),
                        WallTime{query.getColumn(2).getInt64()},
                        WallTime{query.getColumn(3).getInt64()}, query.getColumn(4).getInt() != 0,
                        query.getColumn(5).getInt() != 0});
    return rows;
}

std::vector<EnrolmentRow> Database::Impl::enrolments() {
    SQLite::Statement query(
        db,
        "SELECT key, name, token_id, enrolled_ms, revoked, signer, cordoned FROM enrolments "
        "ORDER BY enrolled_ms");
    std::vector<EnrolmentRow> rows;
    while (query.executeStep())
        rows.push_back({TranscoderKey{query.getColumn(0).getString()},
                        query.getColumn(1).getString(), query.getColumn(2).getString(),
                        WallTime{query.getColumn(3).getInt64()}, query.getColumn(4).getInt() != 0,
                        signer_of(query.getColumn(5)), query.getColumn(6).getInt() != 0});
    return rows;
}

Result<Restored> Database::restore(WallTime since) {
    try {
        Restored restored;
        restored.epoch = impl_->epoch;
        restored.identity = impl_->identity();
        restored.sessions = impl_->sessions(since);
        restored.tokens = impl_->tokens();
        restored.enrolments = impl_->enrolments();
        restored.accounts = access::accounts(impl_->db);
        restored.stake = kept_stake(impl_->db);
        restored.init_parts = init_parts(impl_->db, since);
        return restored;
    } catch (const SQLite::Exception& problem) {
        return refusal(std::string("cannot read the database: ") + problem.what());
    }
}

// ---- writing ----

LedgerView Database::ledger() const {
    return impl_->ledger->view();
}

std::optional<Failure> Database::transaction(const std::function<void()>& writes) {
    std::optional<Failure> failure;
    try {
        impl_->db.exec("BEGIN IMMEDIATE");
        impl_->ledger->begin();
        writes();
        impl_->db.exec("COMMIT");
        impl_->ledger->committed();
        return std::nullopt;
    } catch (const SQLite::Exception& problem) {
        // Asked before anything else touches the file: a rollback would hide it.
        const int system_errno = last_errno(impl_->db.getHandle());
        failure = Failure{kind_of(problem.getErrorCode(), system_errno),
                          std::string(problem.what()) + " (" +
                              std::to_string(problem.getExtendedErrorCode()) + ", errno " +
                              std::to_string(system_errno) + ")"};
    } catch (const std::exception& problem) {
        failure = Failure{FailureKind::statement, problem.what()};
    }
    (void)impl_->db.tryExec("ROLLBACK");  // an error says that SQLite has done it already
    return failure;
}

void Database::write(const CommitRecord& record) {
    const SegmentKey& key = record.segment;
    impl_->ledger->book(record);
    const Use touch(*impl_->touch_session);
    touch->bind(1, key.session.value);
    touch->bind(2, stored(key.run));
    touch->bind(3, stored(key.seq));
    touch->bind(4, record.committed_at.ms);
    touch->exec();
    const Use count(*impl_->count_on_stream);
    count->bind(1, record.stream.value);
    count->bind(2, record.committed_at.ms);
    count->exec();
}

void Database::write(const LedgerFloor& row) {
    impl_->ledger->raise_floor(row.floor);
}
void Database::write(const ClosedPeriod& period) {
    impl_->ledger->close(period);
}

void Database::write(const SessionRow& row) {
    const Use upsert(*impl_->session);
    upsert->bind(1, row.id.value);
    upsert->bind(2, row.stream.value);
    upsert->bind(3, row.account.value);
    upsert->bind(4, config::to_json(row.ladder));
    upsert->bind(5, stored(row.run));
    if (row.has_seq)
        upsert->bind(6, stored(row.last_seq));
    upsert->bind(7, row.ended ? 1 : 0);
    upsert->bind(8, row.updated_at.ms);
    upsert->exec();
}

void Database::write(const JoinTokenRow& row) {
    SQLite::Statement upsert(
        impl_->db,
        "INSERT INTO join_tokens VALUES (?1,?2,?3,?4,?5,?6) ON CONFLICT (id) DO UPDATE SET "
        "enrolment_key = ?2, created_ms = ?3, expires_ms = ?4, once = ?5, revoked = ?6");
    upsert.bind(1, row.id);
    upsert.bind(2, row.enrolment_key);
    upsert.bind(3, row.created_at.ms);
    upsert.bind(4, row.expires_at.ms);
    upsert.bind(5, row.once ? 1 : 0);
    upsert.bind(6, row.revoked ? 1 : 0);
    upsert.exec();
}

void Database::write(const EnrolmentRow& row) {
    SQLite::Statement upsert(
        impl_->db,
        "INSERT INTO enrolments VALUES (?1,?2,?3,?4,?5,?6,?7) ON CONFLICT (key) DO UPDATE SET "
        "name = ?2, token_id = ?3, enrolled_ms = ?4, revoked = ?5, signer = coalesce(signer, ?6), "
        "cordoned = ?7");
    upsert.bind(1, row.key.value);
    upsert.bind(2, row.name);
    upsert.bind(3, row.token_id);
    upsert.bind(4, row.enrolled_at.ms);
    upsert.bind(5, row.revoked ? 1 : 0);
    if (row.signer)
        upsert.bind(6, row.signer->bytes.data(), static_cast<int>(row.signer->bytes.size()));
    upsert.bind(7, row.cordoned ? 1 : 0);
    upsert.exec();
}

void Database::write(const Account& account) {
    access::write(impl_->db, account);
}
void Database::write(const AccountRemoval& row) {
    access::write(impl_->db, row);
}
void Database::write(const TokenKeyRow& row) {
    access::write(impl_->db, row);
}
void Database::write(const TokenKeyRemoval& row) {
    access::write(impl_->db, row);
}

void Database::write(const KeptStake& stake) {
    keep_stake(impl_->db, stake);
}

void Database::write(const InitRow& row) {
    store::write(impl_->db, row);
}
void Database::write(const InitRemoval& row) {
    store::write(impl_->db, row);
}

void Database::write_probe() {
    SQLite::Statement probe(
        impl_->db,
        "INSERT INTO meta VALUES ('probe', randomblob(?1)) ON CONFLICT (key) DO UPDATE SET "
        "value = randomblob(?1)");
    probe.bind(1, static_cast<std::int64_t>(kProbeBytes));
    probe.exec();
}

}  // namespace millrace::orchestrator::store
