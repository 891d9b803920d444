#pragma once
// OrchestratorCore: decides. Who may come in, which transcoder gets what, when an attempt is over,
// what is the answer. It knows no socket, clock, thread, file or codec: events and the time come
// in, effects come out (effects.h). The same object runs in production, in unit tests and in the
// simulator.
//
// Promises
// - An accepted segment gets exactly one final answer, Deliver or Fail, no later than its deadline
// (plus the
//   time the store takes to commit).
// - Only the attempt on record commits; everything else is recognised by value and counted
// (Noted::stale_*).
// - No slot is reserved beyond the capacity a transcoder claims (clamped to 0..kSlotsMax); a claim that is
//   lowered later drains: nothing new is reserved until it fits, running work is not cut. Sessions holding a
//   slot never exceed min(operator, slots of ready transcoders, stake) at admission.
// - A transcoder that has told a signing key keeps it, and its results count only with a receipt that it signed.
// - No call re-enters: effects are collected by take_effects() after each call.
// - Deterministic: same calls with the same times, same effects. Ties are broken by id.
//
// Thread: orchestrator loop. Owner: Service (or a test). Clock: none; `now` must not go backwards.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/domain/account.h"
#include "common/domain/protocol.h"
#include "orchestrator/core/effects.h"

namespace millrace::orchestrator {

// contract.md section 2, "Sessions, slots, deadlines"; all bounds of the core with their units.
struct CoreConfig {
    std::optional<std::uint32_t> operator_limit;  // sessions; nothing = no limit of its own
    Ladder default_ladder;
    Epoch epoch;
    std::string payload_endpoint;  // told to transcoders when they join
    // Receipts name us; how a signature is checked is a pure function that the shell brings along. Without one
    // none holds.
    OrchestratorKey own_key;
    bool (*signature_holds)(const SignerKey& key, std::string_view bytes,
                            const Signature& signature) = [](const SignerKey&, std::string_view,
                                                             const Signature&) { return false; };

    std::uint32_t in_flight_max = 4;  // segments per session, uploads included
    std::uint32_t attempts_max = 3;   // that started work
    Duration deadline_min = std::chrono::seconds(4);
    Duration deadline_max = std::chrono::seconds(30);
    Duration duration_assumed = std::chrono::seconds(4);
    Duration progress_timeout = std::chrono::milliseconds(1500);
    Duration heartbeat = std::chrono::seconds(1);
    Duration lease = std::chrono::seconds(3);
    Duration idle_after = std::chrono::seconds(10);  // or 3 of its segments, whichever is longer
    Duration end_after = std::chrono::seconds(70);
    Duration shed_after = std::chrono::seconds(5);
    Duration reconcile = std::chrono::seconds(5);  // after a restart with live sessions
    Duration conflict_window = std::chrono::seconds(10);
    std::uint64_t restart_gap = 12;       // seq falling back by more: the source restarted
    std::uint32_t answers_kept_min = 12;  // per session
    Duration answers_kept_for = std::chrono::seconds(30);
    std::uint64_t keep_bytes = 1ULL << 30;
    std::uint64_t payload_budget = 2ULL << 30;  // bytes of tasks in flight: sources and renditions
    std::uint32_t sessions_known_max = 4096;    // open sessions, slot or not
    Duration upload_max = std::chrono::minutes(10);  // how long a body may take to arrive
    bool cut_through = true;     // begin a session's next segment while it still arrives
    bool accounts_only = false;  // requests of accounts not told by set_account: 401
};

// What the headers of an upload say. `session` names a session by its id (token); without one the
// stream's live session is used, or an implicit one is opened under `fresh_id`.
struct UploadRequest {
    StreamName stream;
    AccountId account;
    std::optional<SessionId> session;
    SessionId fresh_id;  // made by the shell: 128 random bits
    std::uint64_t seq = 0;
    std::optional<std::uint64_t> content_length;  // bytes
    std::optional<Duration> content_duration;
    std::optional<Ladder> ladder;  // for a new session
};
struct UploadAdmitted {
    UploadId upload;
    SessionId session;
};
using UploadDecision = std::variant<UploadAdmitted, Refusal>;

// What became of an upload whose body is complete.
struct TaskAccepted {
    TaskId task;
};
struct TaskJoined {  // equal bytes are already in flight: same answer
    TaskId task;
};
struct Replayed {  // answered before, inside the window
    AnswerId answer;
};
using UploadOutcome = std::variant<TaskAccepted, TaskJoined, Replayed, Refusal>;

struct SessionRequest {
    SessionId id;  // made by the shell, or that of an ended session whose token reopens it
    StreamName stream;
    AccountId account;
    std::optional<Ladder> ladder;
};
struct SessionOpened {
    SessionId id;
    Ladder ladder;
};
// A live stream of one's own: Conflict, with its id.
struct SessionExists {
    SessionId id;
};
using OpenOutcome = std::variant<SessionOpened, SessionExists, Refusal>;

// What a restart hands back (store).
struct RestoredSession {
    SessionId id;
    StreamName stream;
    AccountId account;
    Ladder ladder;
    std::uint32_t run = 0;
    std::uint64_t last_seq = 0;
    bool has_seq = false;
    bool ended = false;
    // For playlists, not for the core: segments ever committed on its stream, and the highest (run, seq) of
    // its own among them.
    std::uint64_t stream_segments = 0;
    std::optional<std::pair<std::uint32_t, std::uint64_t>> committed = std::nullopt;
};
struct RestoredTranscoder {
    TranscoderKey key;
    std::string name;
    std::optional<SignerKey> signer = std::nullopt;
    bool cordoned = false;
};

// For /status, /metrics and the admin subcommands.
struct TranscoderStatus {
    TranscoderKey key;
    std::string name;
    std::string state;
    std::uint32_t capacity = 0;  // slots
    std::uint32_t load = 0;      // slots reserved
    std::vector<Device> devices;
    std::vector<GpuReading> gpus;  // as they were a moment ago
    Capabilities capabilities;
    std::map<std::string, std::string> labels;
    std::string version;
    std::optional<SignerKey> signer;  // signs its results
    double realtime_ratio = 0;  // duration of segments / time worked on them, recent; 0 = none yet
    std::uint64_t failures = 0;
    double rtt_ms = 0;
    std::uint64_t segments_ok = 0;
    std::uint64_t segments_failed = 0;
    std::int64_t pixels = 0;  // encoded
};
struct SessionStatus {
    SessionId id;
    StreamName stream;
    AccountId account;
    std::string transcoder;  // empty = no slot
    std::uint64_t segments_ok = 0;
    std::uint64_t segments_failed = 0;
    std::uint32_t in_flight = 0;
    TimePoint started_at;
    std::optional<TimePoint> last_segment_at;
    double realtime_ratio = 0;
    double effort = 1;  // CPU that its pictures take, of what transcoders' prices say
};
struct CapacityStatus {
    std::uint32_t sessions_active = 0;          // holding a slot
    std::optional<std::uint32_t> sessions_max;  // effective limit; nothing = unlimited
    std::optional<std::uint32_t> limit_operator;
    std::uint32_t limit_transcoders = 0;
    std::optional<std::uint32_t> limit_stake;
    std::string binding;  // operator, transcoders, stake
};
struct CoreStatus {
    CapacityStatus capacity;
    std::vector<TranscoderStatus> transcoders;  // by name
    std::vector<SessionStatus> sessions;        // by id
    std::uint64_t tasks_active = 0;
    std::uint64_t payload_bytes = 0;  // counted against payload_budget
};

class OrchestratorCore {
public:
    explicit OrchestratorCore(CoreConfig config);
    ~OrchestratorCore();
    OrchestratorCore(const OrchestratorCore&) = delete;
    OrchestratorCore& operator=(const OrchestratorCore&) = delete;

    // Before anything else, after a restart.
    void restore(const std::vector<RestoredSession>& sessions,
                 const std::vector<RestoredTranscoder>& transcoders, TimePoint now);

    // ---- broadcasters ----
    [[nodiscard]] OpenOutcome open_session(const SessionRequest& request, TimePoint now);
    // Not found: NotFound. Running segments are still answered, waiting ones get 404; the slot is
    // free at once when nothing runs in it.
    // `owner`: only a session of this account; another's is Forbidden. Nothing = anybody's.
    [[nodiscard]] std::optional<Refusal> end_session(
        const SessionId& session, EndReason reason, TimePoint now,
        const std::optional<AccountId>& owner = std::nullopt);
    // What headers decide, before a byte of the body is read.
    [[nodiscard]] UploadDecision begin_upload(const UploadRequest& request, TimePoint now);
    // The first bytes are here and look like media. Where the session has a transcoder with nothing else of it
    // to do, the segment goes on to it from here on, as it arrives.
    void upload_arrives(UploadId upload, TimePoint now);
    // The body is complete. The clock of the deadline starts here.
    [[nodiscard]] UploadOutcome finish_upload(UploadId upload, const Sha256& sha256,
                                              std::uint64_t bytes, TimePoint now);
    // The body was cut short or refused: leaves nothing behind.
    void abort_upload(UploadId upload, TimePoint now);

    // ---- transcoders ----
    // Control messages of an authenticated transcoder, except Enrol (the link and the store answer
    // that).
    void on_message(const TranscoderKey& from, const FromTranscoder& message, TimePoint now);
    // The payload lane of this key is up (bound by nonce, LaneHello) or down. A transcoder is
    // dispatchable only while both lanes are up and fresh.
    void payload_lane(const TranscoderKey& key, std::uint64_t nonce, bool up, TimePoint now);
    // The transport noticed a clean death of the control connection: a hint that ends the lease at
    // once.
    void connection_lost(const TranscoderKey& key, TimePoint now);
    // Revoked: its slots and attempts end at once, its messages count no more.
    void revoke(const TranscoderKey& key, TimePoint now);
    // The process was away for that long (stopped, suspended, its loop blocked) and goes on at `now`. Its
    // clock stood still: leases and deadlines are later by that. Transcoders that closed the silent
    // connection have CoreConfig::reconcile to come back.
    void was_away(Duration away, TimePoint now);
    // Enrolled again after it was revoked: its next Hello counts.
    void readmit(const TranscoderKey& key);
    // Bytes of a source acknowledged by, or of a rendition received from, a transcoder: progress.
    void transfer_progress(const TransferId& transfer, const TranscoderKey& with, TimePoint now);
    // A rendition is complete and its hash was computed by us.
    void rendition_received(const TransferId& transfer, const TranscoderKey& from,
                            std::uint64_t bytes, const Sha256& sha256, TimePoint now);
    // A transfer broke (abort, bad offset, too long): the attempt is over.
    void transfer_failed(const TransferId& transfer, const TranscoderKey& with,
                         const Error& problem, TimePoint now);

    // ---- store ----
    void committed(TaskId task, AttemptNo attempt, const Result<void>& result, TimePoint now);
    void store_available(bool available, TimePoint now);

    // ---- operator ----
    enum class TranscoderCommand : std::uint8_t { drain, cordon, uncordon };
    [[nodiscard]] Result<void> command(std::string_view name, TranscoderCommand what,
                                       TimePoint now);
    void set_operator_limit(std::optional<std::uint32_t> sessions, TimePoint now);
    // An account and its limits (quota.h). Removed: its sessions end, its requests are 401.
    void set_account(const AccountId& account, const AccountLimits& limits, TimePoint now);
    void remove_account(const AccountId& account, TimePoint now);
    // Stake as a limit: nothing = unlimited; `active` false = StakeInactive.
    void set_stake(std::optional<std::uint32_t> sessions, bool active, TimePoint now);
    // No new work; what was accepted is carried through.
    void begin_shutdown(TimePoint now);
    [[nodiscard]] bool idle() const;  // nothing in flight

    // ---- time and effects ----
    void advance_to(TimePoint now);
    [[nodiscard]] std::optional<TimePoint> next_deadline() const;
    [[nodiscard]] Effects take_effects();

    // ---- looking in ----
    [[nodiscard]] CoreStatus status() const;
    [[nodiscard]] bool any_transcoder_ready() const;
    // Recomputes every count naively and MR_CHECKs it. Tests and the simulator call it after each
    // event.
    void check_invariants() const;

    class Impl;  // core_impl.h, nobody else's

private:
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::orchestrator
