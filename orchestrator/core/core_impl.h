#pragma once
// The inside of OrchestratorCore: tables, timers and the moves between them. Private to
// orchestrator/core; split by concern over core_*.cpp.
//
// How the moves hang together
// - Every public call first lets time catch up (advance), does its one thing, and settles: sessions
//   that wait for a slot are served if capacity changed.
// - serve(session) is the one place that finds slots and dispatches; retry(task) is the one place
//   that decides what a failed attempt means; fail() and deliver() are the only two ends of a task.
// - A Task& is gone after fail(), retry() and serve() may have called fail(): callers look it up
//   again.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "orchestrator/core/admission.h"
#include "orchestrator/core/answered_window.h"
#include "orchestrator/core/orchestrator_core.h"
#include "orchestrator/core/poison.h"
#include "orchestrator/core/quota.h"
#include "orchestrator/core/registry.h"
#include "orchestrator/core/retry_policy.h"
#include "orchestrator/core/scheduler.h"
#include "orchestrator/core/session_table.h"
#include "orchestrator/core/task_table.h"
#include "orchestrator/core/timers.h"

namespace millrace::orchestrator {

class OrchestratorCore::Impl {
public:
    explicit Impl(CoreConfig config);

    void restore(const std::vector<RestoredSession>& sessions,
                 const std::vector<RestoredTranscoder>& transcoders, TimePoint now);

    // core_sessions.cpp
    OpenOutcome open_session(const SessionRequest& request, TimePoint now);
    std::optional<Refusal> end_session(const SessionId& id, EndReason reason, TimePoint now,
                                       const std::optional<AccountId>& owner);
    void set_account(const AccountId& account, const AccountLimits& limits, TimePoint now);
    void remove_account(const AccountId& account, TimePoint now);
    // core_uploads.cpp
    UploadDecision begin_upload(const UploadRequest& request, TimePoint now);
    void upload_arrives(UploadId upload, TimePoint now);  // core_early.cpp
    UploadOutcome finish_upload(UploadId upload, const Sha256& sha256, std::uint64_t bytes,
                                TimePoint now);
    void abort_upload(UploadId upload, TimePoint now);
    // core_transcoders.cpp
    void on_message(const TranscoderKey& from, const FromTranscoder& message, TimePoint now);
    void payload_lane(const TranscoderKey& key, std::uint64_t nonce, bool up, TimePoint now);
    void connection_lost(const TranscoderKey& key, TimePoint now);
    void revoke(const TranscoderKey& key, TimePoint now);
    void readmit(const TranscoderKey& key) { revoked_.erase(key); }
    Result<void> command(std::string_view name, TranscoderCommand what, TimePoint now);
    // core_results.cpp; receipts: core_receipts.cpp
    void transfer_progress(const TransferId& transfer, const TranscoderKey& with, TimePoint now);
    void rendition_received(const TransferId& transfer, const TranscoderKey& from,
                            std::uint64_t bytes, const Sha256& sha256, TimePoint now);
    void transfer_failed(const TransferId& transfer, const TranscoderKey& with,
                         const Error& problem, TimePoint now);
    void committed(TaskId task, AttemptNo attempt, const Result<void>& result, TimePoint now);

    void store_available(bool available, TimePoint now);
    void set_operator_limit(std::optional<std::uint32_t> sessions, TimePoint now);
    void set_stake(std::optional<std::uint32_t> sessions, bool active, TimePoint now);
    void begin_shutdown(TimePoint now);
    [[nodiscard]] bool idle() const { return tasks_.size() == 0 && uploads_.empty(); }

    void was_away(Duration away, TimePoint now);
    // The core's own time stands still while the process is away. Inside, all times are its own.
    [[nodiscard]] TimePoint own(TimePoint callers) const { return callers - away_; }
    [[nodiscard]] TimePoint callers(TimePoint own) const { return own + away_; }

    void advance_to(TimePoint now);
    [[nodiscard]] std::optional<TimePoint> next_deadline() const;
    [[nodiscard]] Effects take_effects() { return std::exchange(effects_, {}); }

    // core_status.cpp
    [[nodiscard]] CoreStatus status();
    [[nodiscard]] bool any_transcoder_ready() { return !registry_.ready().empty(); }
    void check_invariants();

private:
    // At equal times: who is gone first, then slots, tasks, sessions.
    enum class TimerKind : std::uint8_t { transcoder, reservation, task, session };
    struct TimerKey {
        TimerKind kind = TimerKind::transcoder;
        std::uint64_t id = 0;
        auto operator<=>(const TimerKey&) const = default;
    };
    // An attempt at what is an upload still (core_early.cpp). It has a task's id, and no task yet.
    struct EarlyAttempt {
        TaskId task;
        Attempt attempt;
        std::optional<TaskFailed> failed;  // for the task to hear, once there is one
    };
    struct Upload {
        Session* session = nullptr;
        std::uint64_t seq = 0;
        std::uint64_t bytes = 0;  // as announced
        std::optional<Duration> duration;
        bool counted = true;   // against in_flight_max; false = may be a repeat
        bool arrives = false;  // its first bytes are here
        std::optional<EarlyAttempt> early;
    };
    using Excluded = std::function<bool(const Transcoder&)>;

    // ---- time (orchestrator_core.cpp) ----
    void advance(TimePoint now);
    void fire(const TimerKey& key);
    void settle();
    void expect(const Task& t);
    void emit(Effect effect) { effects_.push_back(std::move(effect)); }
    void note(Noted::What what, const Transcoder* t = nullptr, std::string reason = {});
    void note_refused(Noted::What what, ApiCode code);

    // ---- sessions (core_sessions.cpp) ----
    void refresh(Session& s);
    void arm_session(Session& s);
    void on_session_timer(Session& s);
    void end(Session& s, EndReason reason);
    [[nodiscard]] std::optional<Refusal> stranger(const AccountId& account) const;
    void shed_due();
    void shed(Session& s);
    void persist(const Session& s);
    void drop_if_provisional(Session& s);
    [[nodiscard]] bool has_waiting(const Session& s);
    [[nodiscard]] Limits limits();
    [[nodiscard]] std::vector<Task*> tasks_of(const Session& s);

    // ---- uploads (core_uploads.cpp) ----
    [[nodiscard]] std::optional<Refusal> find_session(const UploadRequest& request, Session*& s);
    [[nodiscard]] AdmissionFacts facts(const UploadRequest& request, const Session* s);
    [[nodiscard]] std::optional<Refusal> judge_quota(const AccountId& account,
                                                     const AdmissionFacts& f);
    void add_room(AdmissionFacts& f, const Ladder& ladder, const Cost& cost);
    [[nodiscard]] bool may_repeat(const Session& s, std::uint64_t seq);
    [[nodiscard]] UploadOutcome judge_body(Session& s, const Upload& upload, const Sha256& sha256,
                                           std::uint64_t bytes);
    [[nodiscard]] TaskId accept(Session& s, const Upload& upload, const Sha256& sha256,
                                std::uint64_t bytes, bool new_run);
    Upload close_upload(std::map<UploadId, Upload>::iterator it);

    // ---- early attempts (core_early.cpp) ----
    void begin_early(Session& s);
    void dispatch_early(Session& s, UploadId id, Upload& upload, const Holding& slot);
    [[nodiscard]] static TransferId source_of(const EarlyAttempt& early);
    [[nodiscard]] EarlyAttempt* early_of(const Session& s);
    [[nodiscard]] EarlyAttempt* early_on_record(const Transcoder& t, TaskId task,
                                                AttemptNo attempt);
    void drop_early(Session& s, std::optional<CancelReason> cancel);
    void withdraw(const EarlyAttempt& early, std::optional<CancelReason> cancel);
    void early_failed(EarlyAttempt& early, const TaskFailed& m);
    void adopt(Task& t, EarlyAttempt early);

    // ---- slots (core_placement.cpp) ----
    void place_waiting();
    void serve(Session& s);
    void dispatch_waiting(Session& s, ReservationId slot);
    [[nodiscard]] Transcoder* choose(Session& s);
    [[nodiscard]] Transcoder* choose(Session& s, const Excluded& excluded, bool may_steal);
    [[nodiscard]] Transcoder* best_free(const Session& s, const Excluded& excluded);
    [[nodiscard]] Transcoder* steal(const Session& s, const Excluded& excluded);
    [[nodiscard]] bool avoids(const Session& s, const Transcoder& t) const;
    [[nodiscard]] bool tried_by_waiting(const Session& s, const Transcoder& t, Verdict verdict);
    void take_slot(Session& s, Transcoder& t);
    Holding& reserve(Session& s, Transcoder& t, std::uint32_t ordinal);
    void charge(Session& s, const Cost& cost);
    void send_reserve(Session& s, Holding& h);
    void drop_holding(Session& s, ReservationId id, bool tell);
    void prune(Session& s);
    void give_up_slot(Session& s);
    void release_if_unproven(Session& s);
    void unseat_all(Transcoder& t);
    void on_reservation_timer(ReservationId id);
    void slot_answered_no(Session& s, ReservationId id, Duration avoid_for, bool tell);
    [[nodiscard]] std::vector<char> compatible_classes(const Ladder& ladder);

    // ---- attempts (core_attempts.cpp) ----
    void dispatch(Task& t, Holding& h, bool second);
    void watch(Session& s);
    void arm_task(const Task& t);
    void on_task_timer(TaskId id);
    void end_attempt(Task& t, AttemptNo no, Noted::What what, std::optional<CancelReason> cancel);
    // The attempt ended at `at` without a result; `free`: never refused by the budget.
    void retry(Task& t, Transcoder& at, Reaction reaction, bool free, std::string_view why,
               const std::string& detail);
    void fail(Task& t, Refusal refusal, CancelReason cancel);
    void finish_task(Task& t);
    void doubt(Task& t);
    void judge_forecast(Task& t, AttemptNo no);
    [[nodiscard]] std::optional<TimePoint> forecast(const Task& t, const Attempt& a);
    [[nodiscard]] std::int64_t retry_burst();

    // ---- messages (core_transcoders.cpp, core_results.cpp), standing (core_standing.cpp) ----
    void on(Transcoder& t, const Heartbeat& m);
    void on(Transcoder& t, const SlotGranted& m);
    void on(Transcoder& t, const SlotRefused& m);
    static void took(Attempt& a, const TaskProgress& m, TimePoint now);
    void on(Transcoder& t, const TaskProgress& m);
    void on(Transcoder& t, const TaskFinished& m);
    void on(Transcoder& t, const TaskFailed& m);
    void on(Transcoder& t, const Leaving& m);
    void on(Transcoder& t, const Goodbye& m);
    void on(Transcoder&, const Enrol&) {}
    void on(Transcoder&, const Hello&) {}
    void on_hello(const TranscoderKey& key, Incarnation incarnation, const Hello& m);
    void continue_held(Transcoder& t, const Hello& m, bool same_life, bool new_connection);
    [[nodiscard]] bool fenced(const TranscoderKey& key, const FromTranscoder& message,
                              Transcoder* t);
    void reconcile(Transcoder& t, const Heartbeat& m);
    void lose(Transcoder& t, std::string reason, bool gone_for_good);
    void lose_session(Transcoder& t, Session& s);
    void quarantine(Transcoder& t);
    void changed(Transcoder& t);
    void publish(Transcoder& t);
    void arm_transcoder(const Transcoder& t);
    void on_transcoder_timer(Transcoder& t);
    void forget_surplus();

    struct OnRecord {
        Task* task = nullptr;
        Attempt* attempt = nullptr;
        explicit operator bool() const { return attempt != nullptr; }
    };
    [[nodiscard]] OnRecord on_record(const Transcoder& t, TaskId task, AttemptNo attempt);
    [[nodiscard]] std::optional<std::string> take_signer(const TranscoderKey& key,
                                                         const std::optional<SignerKey>& told);
    [[nodiscard]] std::optional<std::string> take_receipt(const Task& task, Attempt& a,
                                                          const TaskFinished& m);
    void stale(Transcoder& t, TaskId task, AttemptNo attempt, bool tell);
    void measured(Task& t, Duration duration);
    void try_commit(Task& t, AttemptNo no);
    void commit(Task& t, AttemptNo no);
    void learn_cost(const Task& t, const Transcoder& at);
    [[nodiscard]] bool worth_making_again(const Task& t, const Attempt& a) const;
    void make_again(Task& t, AttemptNo no);
    void bad_result(Task& t, AttemptNo no, const std::string& problem);
    void deliver(Task& t);

    CoreConfig config_;
    TimePoint now_{};
    Effects effects_;
    TimerSet<TimerKey> timers_;

    Registry registry_;
    std::set<TranscoderKey> revoked_;
    std::map<TranscoderKey, SignerKey> signers_;  // outlive their records
    std::map<TranscoderNo, TranscoderKey> transcoder_keys_;
    SessionTable sessions_;
    TaskTable tasks_;
    AnsweredWindow window_;
    PoisonList poison_;
    Quotas quotas_;
    std::map<UploadId, Upload> uploads_;
    std::map<TaskId, UploadId> early_;  // whose early attempt goes by this id
    std::map<ReservationId, SessionNo> reservations_;
    Budget retry_budget_;
    Budget hedge_budget_;
    std::vector<Candidate> candidates_;  // scratch of best_free
    std::vector<Transcoder*> candidate_of_;

    std::optional<std::uint32_t> operator_limit_;
    std::optional<std::uint32_t> stake_limit_;
    bool stake_active_ = true;
    bool store_available_ = true;
    bool shutting_down_ = false;
    bool capacity_changed_ = false;
    TimePoint reconcile_until_{};
    Duration away_{0};           // the process stood still, all in all
    TimePoint patient_until_{};  // closed connections are our own doing
    std::uint64_t payload_bytes_ = 0;
    std::uint64_t last_upload_ = 0;
    std::uint64_t last_reservation_ = 0;
    std::uint64_t last_answer_ = 0;
};

}  // namespace millrace::orchestrator
