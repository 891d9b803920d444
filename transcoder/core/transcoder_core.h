#pragma once
// TranscoderCore: decides on the worker's side. Which slots are granted to whom, which task an
// engine works on, when to say hello again, when to leave. It knows no socket, clock, process or
// codec: events and the time come in, effects come out. The same object runs in production, in unit
// tests and in the simulator.
//
// Promises
// - Only this core grants slots: never more than `slots` sessions hold one, over all orchestrators
// together.
// - At most one running task per slot, in dispatch order; further tasks of the session wait in the
// slot.
// - After a change of epoch nothing of the old one is sent: held tasks of the old epoch are
// cancelled.
// - A task that a GPU failed is begun once more without one, and nobody else hears of it; see
//   gpu_board.h for who gets which GPU.
// - Draining: no new slot, running and waiting tasks are finished, then Exit; after drain_timeout
// Exit anyway.
// - Deterministic: same calls with the same times, same effects.
//
// Thread: transcoder loop. Owner: the transcoder's service (or a test). Clock: none.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/rng.h"
#include "common/base/time.h"
#include "common/domain/protocol.h"

namespace millrace::transcoder {

// Which of the configured orchestrators; index into TranscoderConfigValues::orchestrators.
struct OrchestratorIndex {
    std::uint32_t value = 0;
    auto operator<=>(const OrchestratorIndex&) const = default;
};

// Which slot, 0 .. slots-1; one engine each.
struct SlotNo {
    std::uint32_t value = 0;
    auto operator<=>(const SlotNo&) const = default;
};

// Which of the GPUs that sessions may use; index into CoreConfig::gpus.
struct GpuNo {
    std::uint32_t value = 0;
    auto operator<=>(const GpuNo&) const = default;
};
// The GPU that a slot's engine has; none: the CPU does everything.
using Place = std::optional<GpuNo>;

struct GpuEntry {
    std::optional<std::uint32_t> sessions_max;  // at once; none: no limit of its own
};

struct OrchestratorEntry {
    std::string address;    // HOST:PORT of its control lane
    bool enrolled = false;  // its key is known and ours was accepted before: no token needed
    bool has_token = false;
    std::string token_id;  // hex
};

struct CoreConfig {
    std::string name;
    std::string version;
    TranscoderKey key;
    Incarnation incarnation;
    std::uint32_t slots = 1;
    std::uint32_t cores = 1;  // that this process may use, at least 1
    Capabilities capabilities;
    Capacity capacity;
    std::vector<Device> devices;
    std::vector<GpuEntry> gpus;  // those whose trial went well; empty: the CPU does everything
    std::map<std::string, std::string> labels;
    std::optional<SignerKey> signer;  // the shell signs TaskFinished with it
    std::vector<OrchestratorEntry> orchestrators;
    std::uint64_t seed = 0;  // jitter
    bool exit_if_unreachable = false;

    Duration heartbeat = std::chrono::seconds(1);
    Duration lease = std::chrono::seconds(3);  // silence of an orchestrator that ends the join
    Duration hello_every = std::chrono::milliseconds(500);
    Duration progress_every = std::chrono::milliseconds(500);
    Duration unreachable_after = std::chrono::seconds(10);  // with exit_if_unreachable
    Duration drain_timeout = std::chrono::seconds(30);
    // A running engine without progress is stopped: shortly before the orchestrator gives the attempt
    // up by itself (1.5 s), so that it hears why.
    Duration engine_silence = std::chrono::milliseconds(1400);
    std::uint32_t tasks_per_slot_max = 4;  // running and waiting
};

// A task held here, wherever it came from.
struct TaskRef {
    OrchestratorIndex orchestrator;
    TaskId task;
    AttemptNo attempt;
    auto operator<=>(const TaskRef&) const = default;
};

// ---- effects ----
// (Re)open the control lane with fresh sockets: with the token's enrolment key, or with our own.
struct OpenControl {
    OrchestratorIndex orchestrator;
    bool enrolling = false;
    bool operator==(const OpenControl&) const = default;
};
struct OpenPayload {
    OrchestratorIndex orchestrator;
    std::string endpoint;  // HOST:PORT; empty host = the control lane's host
    bool operator==(const OpenPayload&) const = default;
};
struct CloseLanes {
    OrchestratorIndex orchestrator;
    bool operator==(const CloseLanes&) const = default;
};
struct SendControl {
    OrchestratorIndex orchestrator;
    FromTranscoder message;
    bool operator==(const SendControl&) const = default;
};
// LaneHello and LaneBeat; chunks and credit are the shell's own business. Chunks of a task that
// outlived a break of the link are sent again from the start once the new lane has its LaneWelcome.
struct SendPayload {
    OrchestratorIndex orchestrator;
    PayloadEnvelope message;
    bool operator==(const SendPayload&) const = default;
};
// Expect the source of this task on the payload lane, up to `bytes` (0 = not known yet), then
// source_received().
struct ExpectSource {
    TaskRef task;
    SegmentKey segment;
    std::uint64_t bytes = 0;
    bool operator==(const ExpectSource&) const = default;
};
// Give the task to the slot's engine, with what of its source is here; the rest as it comes, its end once
// source_received() was told. Renditions go out on the payload lane as they are finished.
struct StartEngine {
    SlotNo slot;
    TaskRef task;
    Dispatch dispatch;
    std::uint32_t threads = 1;  // this session's share of the machine
    Place gpu;           // that the engine may use; its source is kept: it may be started again
    bool again = false;  // with what of its source was fed to the engine that failed
    bool operator==(const StartEngine&) const = default;
};
// The slot's engine has no task: replace it by one with this GPU, or with none. engine_ready follows,
// once in all where one was to come already.
struct SeatEngine {
    SlotNo slot;
    Place gpu;
    bool operator==(const SeatEngine&) const = default;
};
// For logs and metrics.
struct GpuFailed {
    GpuNo gpu;
    std::string reason;
    bool quarantined = false;  // from now on, by this failure
    bool operator==(const GpuFailed&) const = default;
};
// Stop the slot's engine (kill and replace it if it does not obey at once). The shell answers with
// one engine_ready, however the engine ended; until then the slot's next task waits.
struct StopEngine {
    SlotNo slot;
    TaskRef task;
    bool operator==(const StopEngine&) const = default;
};
// Forget source, renditions and transfers of this task: the last that is said about it, whatever
// became of it.
struct DropTask {
    TaskRef task;
    bool operator==(const DropTask&) const = default;
};
// The orchestrator accepted our key: keep its key for the next start.
struct RememberOrchestrator {
    OrchestratorIndex orchestrator;
    std::string name;  // ours, as it calls us
    bool operator==(const RememberOrchestrator&) const = default;
};
// For logs and metrics: joined, lost, refused...
struct LinkChanged {
    OrchestratorIndex orchestrator;
    bool up = false;
    std::string reason;
    bool operator==(const LinkChanged&) const = default;
};
struct TaskEnded {  // for metrics: outcome in ok|bad_input|failed|refused|cancelled
    TaskRef task;
    std::string outcome;
    bool operator==(const TaskEnded&) const = default;
};
// End the process with this exit code of contract.md section 1.
struct Exit {
    int code = 0;
    std::string message;
    bool operator==(const Exit&) const = default;
};

using Effect = std::variant<OpenControl, OpenPayload, CloseLanes, SendControl, SendPayload,
                            ExpectSource, StartEngine, StopEngine, SeatEngine, GpuFailed, DropTask,
                            RememberOrchestrator, LinkChanged, TaskEnded, Exit>;
using Effects = std::vector<Effect>;

// What the transport says about a control lane. `foreign`: something answers there, but not the
// orchestrator whose key we have. `refused`: it read our key or token and says no. `expired`: the
// same, and the token in use is past its time (the shell reads the wall clock, the core has none).
enum class LaneEvent : std::uint8_t { connected, refused, expired, foreign, lost, unreachable };

struct OrchestratorLinkStatus {
    std::string address;
    bool joined = false;
    bool payload_up = false;
    std::string name;  // ours there
    Epoch epoch;
    double rtt_ms = 0;
};
struct GpuStatus {
    std::uint32_t sessions = 0;
    std::uint64_t failures = 0;  // since start
    std::string quarantine;      // why it is in; empty: it is not
    bool operator==(const GpuStatus&) const = default;
};
struct CoreStatus {
    std::vector<OrchestratorLinkStatus> orchestrators;
    std::uint32_t slots = 0;
    std::uint32_t slots_reserved = 0;
    std::uint32_t tasks_active = 0;  // running in an engine
    std::uint32_t tasks_waiting = 0;
    bool draining = false;
    std::vector<GpuStatus> gpus;  // as CoreConfig::gpus
};

class TranscoderCore {
public:
    explicit TranscoderCore(CoreConfig config);
    ~TranscoderCore();
    TranscoderCore(const TranscoderCore&) = delete;
    TranscoderCore& operator=(const TranscoderCore&) = delete;

    void start(TimePoint now);  // opens the control lanes

    // ---- link ----
    // What goes out with heartbeats from now on.
    void tell_gpus(std::vector<GpuReading> gpus);
    void lane_event(OrchestratorIndex orchestrator, LaneEvent event, TimePoint now);
    void on_message(OrchestratorIndex orchestrator, const FromOrchestrator& message, TimePoint now);
    // Everything that arrives on the payload lane: LaneWelcome binds it, the rest shows that it
    // lives.
    void on_payload(OrchestratorIndex orchestrator, const PayloadEnvelope& message, TimePoint now);
    // Some of the source is here: an engine may begin with it.
    void source_arrived(TaskRef task, TimePoint now);
    // The whole source is here and its hash equals the dispatch's; or the transfer broke.
    void source_received(TaskRef task, TimePoint now);
    void source_failed(TaskRef task, const Error& problem, TimePoint now);
    // Every rendition of the finished task has been handed to the payload lane, or was dropped:
    // now the orchestrator is told that the task is finished.
    void renditions_sent(TaskRef task, TimePoint now);

    // ---- engines ----
    void engine_progress(SlotNo slot, TaskRef task, Duration media_done, Duration media_total,
                         std::int64_t frames, TimePoint now);
    void engine_finished(SlotNo slot, TaskRef task, const TranscodeReport& report,
                         const SeamContext& seam, TimePoint now);
    void engine_failed(SlotNo slot, TaskRef task, const Error& problem, bool crashed,
                       TimePoint now);
    // A rendition is on its way: the task cannot be begun anew here.
    void engine_rendition(SlotNo slot, TaskRef task, TimePoint now);
    // An engine died while it had no task.
    void engine_lost(SlotNo slot, TimePoint now);
    // One does not come up, or died idle, because its GPU fails it. May be said again and again.
    void engine_without_gpu(SlotNo slot, const std::string& why, TimePoint now);
    // A replaced engine can take work again: once after each StopEngine, crash, SeatEngine and
    // engine_lost (several of them that meet are answered by one).
    // Engines without a GPU count as ready from the start, the shell holds a StartEngine until they are
    // up; one with a GPU, which takes seconds to open, is said to be ready at the start, too.
    void engine_ready(SlotNo slot, TimePoint now);

    // SIGTERM, or the operator: Leaving first, then what runs and waits is finished, then Goodbye
    // and Exit 0. A second call leaves at once.
    void drain(TimePoint now);
    void set_slots(std::uint32_t slots, TimePoint now);  // 1..kSlotsMax; running work is never cut
    void advance_to(TimePoint now);
    [[nodiscard]] std::optional<TimePoint> next_deadline() const;
    [[nodiscard]] Effects take_effects();

    [[nodiscard]] CoreStatus status() const;
    // Of each slot's engine: where it is, or is to be once it has been replaced.
    [[nodiscard]] std::vector<Place> places() const;
    [[nodiscard]] bool ready() const;  // joined somewhere and not draining
    void check_invariants() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::transcoder
