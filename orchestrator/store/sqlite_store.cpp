#include "orchestrator/store/sqlite_store.h"

#include <chrono>
#include <utility>

#include "common/runtime/log.h"
#include "common/runtime/wall_clock.h"

namespace millrace::orchestrator::store {
namespace {

constexpr std::chrono::hours kSessionsSince{
    24};  // how far back a start looks: as long as tokens live

Error unavailable() {
    return error(ErrorKind::overloaded, "the store cannot write at the moment");
}

Error error_of(const Failure& failure) {
    const bool passing = failure.kind == FailureKind::passing;
    return error(passing ? ErrorKind::overloaded : ErrorKind::internal,
                 "store: " + failure.message);
}

}  // namespace

SqliteStore::SqliteStore(DataDir directory, std::unique_ptr<Database> database, Executor executor)
    : directory_(std::move(directory)),
      database_(std::move(database)),
      executor_(std::move(executor)) {
    show_ledger();
    writer_ = std::thread([this] { run(); });
}

SqliteStore::~SqliteStore() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    writer_.join();
}

// ---- any thread ----

void SqliteStore::commit(CommitRecord record, Done done) {
    enqueue(std::move(record), std::move(done));
}
void SqliteStore::hold_ledger(WallTime until, Done done) {
    enqueue(LedgerFloor{until}, std::move(done));
}
void SqliteStore::close_period(ClosedPeriod period, Done done) {
    enqueue(std::move(period), std::move(done));
}
void SqliteStore::save_join_token(JoinTokenRow row, Done done) {
    enqueue(std::move(row), std::move(done));
}
void SqliteStore::save_enrolment(EnrolmentRow row, Done done) {
    enqueue(std::move(row), std::move(done));
}

void SqliteStore::save_account(Account account, Done done) {
    enqueue(std::move(account), std::move(done));
}
void SqliteStore::remove_account(AccountId account, Done done) {
    enqueue(AccountRemoval{std::move(account)}, std::move(done));
}
void SqliteStore::save_token_key(TokenKeyRow row, Done done) {
    enqueue(std::move(row), std::move(done));
}
void SqliteStore::forget_token_key(std::uint32_t id, Done done) {
    enqueue(TokenKeyRemoval{id}, std::move(done));
}

void SqliteStore::save_stake(KeptStake stake, Done done) {
    enqueue(std::move(stake), std::move(done));
}

void SqliteStore::save_init(InitRow row, Done done) {
    enqueue(std::move(row), std::move(done));
}
void SqliteStore::forget_init(AccountId account, StreamName stream, Done done) {
    enqueue(InitRemoval{std::move(account), std::move(stream)}, std::move(done));
}

// Also while the store cannot write: the writer answers, so that answers keep the order of the calls.
void SqliteStore::enqueue(Row row, Done done) {
    {
        const std::lock_guard lock(mutex_);
        if (queue_.size() < kQueueMax) {
            queue_.push_back({std::move(row), std::move(done)});
            done = nullptr;
        }
    }
    if (done)
        answer(std::move(done), error(ErrorKind::overloaded, "too many writes wait for the disk"));
    else
        wake_.notify_one();
}

void SqliteStore::save_session(SessionRow row) {
    {
        const std::lock_guard lock(mutex_);
        if (sessions_.size() < kSessionsWaitingMax || sessions_.contains(row.id))
            sessions_.insert_or_assign(row.id, std::move(row));
        else
            session_dropped_ = true;
    }
    wake_.notify_one();
}

// Rows of sessions go with the first group after they were saved, so that they are written when this is.
void SqliteStore::sessions_written(Done done) {
    bool dropped = false;
    {
        const std::lock_guard lock(mutex_);
        dropped = std::exchange(session_dropped_, false);
    }
    if (dropped)
        answer(std::move(done),
               error(ErrorKind::overloaded, "too many sessions wait for the disk"));
    else
        enqueue(SessionsWritten{}, std::move(done));
}

void SqliteStore::on_available(std::function<void(bool)> changed) {
    const std::lock_guard lock(mutex_);
    changed_ = std::move(changed);
}

LedgerView SqliteStore::ledger() const {
    const std::lock_guard lock(mutex_);
    return ledger_;
}

void SqliteStore::answer(Done done, Result<void> result) {
    if (done)
        executor_([done = std::move(done), result = std::move(result)] { done(result); });
}

// Puts rows back to wait, unless newer ones of the same sessions wait already.
void SqliteStore::keep_sessions(Sessions sessions) {
    const std::lock_guard lock(mutex_);
    sessions_.merge(sessions);
}

// ---- the writer's thread ----

void SqliteStore::run() {
    for (Batch batch; wait_for_work(batch); batch = Batch())
        work_on(std::move(batch));
}

// False: the store is closing and nothing that can be written waits any more.
bool SqliteStore::wait_for_work(Batch& batch) {
    std::unique_lock lock(mutex_);
    const auto has_work = [this] {
        return stopping_ || !queue_.empty() || (available() && !sessions_.empty());
    };
    while (!has_work()) {
        if (state_ != State::waiting) {
            wake_.wait(lock, has_work);
        } else if (!wake_.wait_for(lock, kProbeEvery, has_work)) {
            lock.unlock();
            probe();
            lock.lock();
        }
    }
    while (!queue_.empty() && batch.writes.size() < kGroupMax) {
        batch.writes.push_back(std::move(queue_.front()));
        queue_.pop_front();
    }
    if (available())
        batch.sessions = std::exchange(sessions_, {});
    return !batch.empty();
}

// A session's row comes before the segments that were committed after it.
void SqliteStore::write_rows(const Batch& batch) {
    for (const auto& [id, row] : batch.sessions)
        database_->write(row);
    for (const Write& write : batch.writes)
        std::visit([this](const auto& row) { database_->write(row); }, write.row);
}

void SqliteStore::work_on(Batch batch) {
    if (!available()) {
        for (Write& write : batch.writes)
            answer(std::move(write.done), unavailable());
        return;
    }
    const auto failure = database_->transaction([&] { write_rows(batch); });
    if (failure && failure->kind == FailureKind::statement) {
        write_one_by_one(batch);
        return;
    }
    if (failure) {
        fail(batch, *failure);
        return;
    }
    show_ledger();  // before anybody hears of it
    // One hop for the whole group.
    executor_([writes = std::make_shared<std::vector<Write>>(std::move(batch.writes))] {
        for (const Write& write : *writes)
            if (write.done)
                write.done(Result<void>());
    });
}

// One row that cannot be written must not take the others of its group with it.
void SqliteStore::write_one_by_one(Batch& batch) {
    std::optional<Failure> lost;
    for (const auto& [id, row] : batch.sessions) {
        const auto failure = database_->transaction([&] { database_->write(row); });
        if (!failure)
            continue;
        lost = failure;
        ++errors_;
        log::error("store", "a session's row cannot be written",
                   {{"session", id.value}, {"problem", failure->message}});
    }
    batch.sessions.clear();
    while (!batch.writes.empty()) {
        Write& write = batch.writes.front();
        const auto failure =
            lost && std::holds_alternative<SessionsWritten>(write.row)
                ? lost
                : database_->transaction([&] {
                      std::visit([this](const auto& row) { database_->write(row); }, write.row);
                  });
        if (failure && failure->kind != FailureKind::statement) {
            fail(batch, *failure);
            return;
        }
        errors_ += failure ? 1 : 0;
        show_ledger();
        answer(std::move(write.done), failure ? Result<void>(error_of(*failure)) : Result<void>());
        batch.writes.erase(batch.writes.begin());
    }
}

void SqliteStore::fail(Batch& batch, const Failure& failure) {
    ++errors_;
    log::error("store",
               failure.kind == FailureKind::passing ? "cannot write; trying again"
                                                    : "cannot write any more",
               {{"directory", directory_.path()}, {"problem", failure.message}});
    // First the state, so that whoever is told about its write sees why.
    enter(failure.kind == FailureKind::passing ? State::waiting : State::failed);
    for (Write& write : batch.writes)
        answer(std::move(write.done), error_of(failure));
    keep_sessions(std::move(batch.sessions));
}

void SqliteStore::show_ledger() {
    const LedgerView view = database_->ledger();
    const std::lock_guard lock(mutex_);
    ledger_ = view;
}

void SqliteStore::probe() {
    const auto failure = database_->transaction([this] { database_->write_probe(); });
    if (!failure) {
        log::info("store", "can write again", {{"directory", directory_.path()}});
        enter(State::available);
    } else if (failure->kind != FailureKind::passing) {
        ++errors_;
        log::error("store", "cannot write any more", {{"problem", failure->message}});
        enter(State::failed);
    }
}

void SqliteStore::enter(State state) {
    if (state_.exchange(state) == state)
        return;
    const bool now = available();
    std::function<void(bool)> changed;
    {
        const std::lock_guard lock(mutex_);
        changed = changed_;
    }
    if (changed)
        executor_([changed = std::move(changed), now] { changed(now); });
}

// ---- opening ----

Result<Opened> open_sqlite(const std::string& data_dir, Executor executor) {
    auto directory = DataDir::open(data_dir);
    if (!directory)
        return directory.error();
    auto database = Database::open(*directory);
    if (!database)
        return database.error();
    const WallTime since{wall_now().ms - std::chrono::milliseconds(kSessionsSince).count()};
    auto restored = (*database)->restore(since);
    if (!restored)
        return restored.error();
    MR_TRY(directory->write("admin.token", restored->identity.admin_token + "\n"));
    Opened opened;
    opened.restored = *std::move(restored);
    opened.store = std::make_unique<SqliteStore>(*std::move(directory), *std::move(database),
                                                 std::move(executor));
    return opened;
}

}  // namespace millrace::orchestrator::store
