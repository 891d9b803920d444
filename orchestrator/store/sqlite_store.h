#pragma once
// SqliteStore: the Store on one SQLite file. One thread writes; whatever waits when it comes round goes into
// one transaction (group commit), so that many segments share one synchronisation of the disk.
//
// Bounds: kQueueMax writes wait (more are refused as overloaded), kGroupMax of them in one transaction,
// kSessionsWaitingMax session rows (the newest of each session).
//
// Thread: as store.h says. Internal to orchestrator/store.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <variant>

#include "orchestrator/store/database.h"

namespace millrace::orchestrator::store {

inline constexpr std::size_t kQueueMax = 8192;
inline constexpr std::size_t kGroupMax = 256;
inline constexpr std::size_t kSessionsWaitingMax = 8192;
inline constexpr std::chrono::milliseconds kProbeEvery{500};

class SqliteStore final : public Store {
public:
    SqliteStore(DataDir directory, std::unique_ptr<Database> database, Executor executor);
    ~SqliteStore() override;  // writes what waits

    void commit(CommitRecord record, Done done) override;
    void hold_ledger(WallTime until, Done done) override;
    void close_period(ClosedPeriod period, Done done) override;
    void save_session(SessionRow row) override;
    void sessions_written(Done done) override;
    void save_join_token(JoinTokenRow row, Done done) override;
    void save_enrolment(EnrolmentRow row, Done done) override;
    void save_account(Account account, Done done) override;
    void remove_account(AccountId account, Done done) override;
    void save_token_key(TokenKeyRow row, Done done) override;
    void forget_token_key(std::uint32_t id, Done done) override;
    void save_stake(KeptStake stake, Done done) override;
    void save_init(InitRow row, Done done) override;
    void forget_init(AccountId account, StreamName stream, Done done) override;

    [[nodiscard]] LedgerView ledger() const override;
    [[nodiscard]] bool available() const override { return state_ == State::available; }
    [[nodiscard]] bool failed() const override { return state_ == State::failed; }
    void on_available(std::function<void(bool)> changed) override;
    [[nodiscard]] std::uint64_t errors() const override { return errors_; }
    [[nodiscard]] std::uint64_t free_bytes() const override { return directory_.free_bytes(); }

private:
    enum class State : std::uint8_t { available, waiting, failed };
    using Row = std::variant<CommitRecord, JoinTokenRow, EnrolmentRow, Account, AccountRemoval,
                             TokenKeyRow, TokenKeyRemoval, LedgerFloor, ClosedPeriod, KeptStake,
                             InitRow, InitRemoval, SessionsWritten>;
    struct Write {
        Row row;
        Done done;
    };
    using Sessions = std::map<SessionId, SessionRow>;
    struct Batch {
        std::vector<Write> writes;
        Sessions sessions;
        [[nodiscard]] bool empty() const { return writes.empty() && sessions.empty(); }
    };

    void enqueue(Row row, Done done);
    void answer(Done done, Result<void> result);
    // Everything below runs on the writer's thread.
    void run();
    [[nodiscard]] bool wait_for_work(Batch& batch);
    void work_on(Batch batch);
    void write_one_by_one(Batch& batch);
    void write_rows(const Batch& batch);
    void fail(Batch& batch, const Failure& failure);
    void keep_sessions(Sessions sessions);
    void probe();
    void show_ledger();
    void enter(State state);

    DataDir directory_;
    std::unique_ptr<Database> database_;
    Executor executor_;
    std::atomic<State> state_{State::available};
    std::atomic<std::uint64_t> errors_{0};

    mutable std::mutex mutex_;  // guards the six below
    std::condition_variable wake_;
    std::deque<Write> queue_;
    Sessions sessions_;
    bool session_dropped_ = false;  // since the last sessions_written()
    std::function<void(bool)> changed_;
    LedgerView ledger_;
    bool stopping_ = false;

    std::thread writer_;  // last: starts when everything else is there
};

}  // namespace millrace::orchestrator::store
