#pragma once
// The conversation between an orchestrator and a transcoder, as plain values. common/wire turns
// them into Cap'n Proto and back; the cores of both sides speak them directly, in production and in
// the simulator. Grammar, versions and the meaning of silence: schemas/README.md.
//
// Fencing: every message travels in an Envelope that names the orchestrator's epoch and the
// transcoder's incarnation; task messages name task and attempt. What does not match the record is
// recognised by value and dropped, never by timing.
//
// Thread: any; values.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/domain/capacity.h"
#include "common/domain/gpu_reading.h"
#include "common/domain/receipt.h"
#include "common/domain/rendition.h"
#include "common/domain/segment.h"

namespace millrace {

// The major must match (N and N-1 work together for a release); minors always work together.
inline constexpr std::uint16_t kProtocolMajor = 1;
inline constexpr std::uint16_t kProtocolMinor = 0;

enum class TaskKind : std::uint8_t { transcode, verify, thumbnail };

// A payload on its way. `index`: 0 for a segment's source; the place in the ladder for a rendition.
enum class Direction : std::uint8_t { to_transcoder, to_orchestrator };
struct TransferId {
    TaskId task;
    AttemptNo attempt;
    Direction direction = Direction::to_transcoder;
    std::uint32_t index = 0;
    auto operator<=>(const TransferId&) const = default;
};

// ---- control lane, transcoder -> orchestrator
// ------------------------------------------------------

// Asks to be enrolled, over a connection made with a join token's enrolment key.
struct Enrol {
    TranscoderKey key;     // the transcoder's own public key
    std::string token_id;  // hex
    std::string name;      // wished for
    bool operator==(const Enrol&) const = default;
};

// A task that a transcoder still holds when it (re)joins the same epoch.
struct HeldTask {
    TaskId task;
    AttemptNo attempt;
    bool operator==(const HeldTask&) const = default;
};

// First message of every connection with the transcoder's own key; repeated until Welcome.
struct Hello {
    std::uint16_t protocol_major = kProtocolMajor;
    std::uint16_t protocol_minor = kProtocolMinor;
    std::string name;
    std::string version;
    std::uint64_t nonce = 0;  // binds the payload lane to this control lane
    std::uint32_t slots = 1;  // advertised maximum of concurrent tasks
    Capabilities capabilities;
    Capacity capacity;
    std::vector<Device> devices;
    std::map<std::string, std::string> labels;
    std::vector<HeldTask> held;  // of `held_epoch`; of use only when the epoch still runs
    Epoch held_epoch;
    // What its results are signed with; nothing = it signs none. Once told, a transcoder keeps it.
    std::optional<SignerKey> signer = std::nullopt;
    bool operator==(const Hello&) const = default;
};

// Sign of life, once a second. Says who holds a slot, so that neither side can leak one.
struct Heartbeat {
    std::uint64_t number = 0;
    std::uint32_t slots = 0;       // maximum now
    std::uint32_t slots_free = 0;  // the truth, over all orchestrators
    std::uint32_t tasks_active = 0;
    bool draining = false;
    Cost load;
    std::vector<SessionId> sessions;  // of this orchestrator, holding a slot here
    std::int64_t sent_at_us = 0;      // transcoder's clock; comes back in HeartbeatAck
    std::int64_t rtt_us = 0;          // last measured round trip; 0 = none yet
    std::vector<GpuReading> gpus{};   // those that sessions use
    bool operator==(const Heartbeat&) const = default;
};

struct SlotGranted {
    ReservationId reservation;
    SessionId session;
    std::uint32_t slots_free = 0;
    bool operator==(const SlotGranted&) const = default;
};

enum class SlotRefusal : std::uint8_t { no_free_slot, draining, cost, incompatible, device };
struct SlotRefused {
    ReservationId reservation;
    SessionId session;
    SlotRefusal reason = SlotRefusal::no_free_slot;
    std::uint32_t slots_free = 0;
    std::string detail;
    bool operator==(const SlotRefused&) const = default;
};

enum class TaskStage : std::uint8_t { receiving, waiting, running, sending };
// At least every 500 ms for a task that is running, and whenever its stage changes.
struct TaskProgress {
    TaskId task;
    AttemptNo attempt;
    TaskStage stage = TaskStage::receiving;
    std::int64_t media_done_us = 0;   // how far into the segment
    std::int64_t media_total_us = 0;  // measured duration; 0 = not known yet
    std::int64_t frames = 0;
    bool operator==(const TaskProgress&) const = default;
};

// All renditions are on the payload lane; their hashes and sizes stand in the report.
struct TaskFinished {
    TaskId task;
    AttemptNo attempt;
    TranscodeReport report;
    SeamContext seam;                                   // for the next segment of the session
    std::optional<ReceiptStub> receipt = std::nullopt;  // of whoever told a signer
    bool operator==(const TaskFinished&) const = default;
};

struct TaskFailed {
    TaskId task;
    AttemptNo attempt;
    ErrorKind kind = ErrorKind::internal;
    std::string message;
    bool started = false;         // an engine had begun to work on it
    bool engine_crashed = false;  // or hung: over this segment, so that it is a suspect
    bool operator==(const TaskFailed&) const = default;
};

// The transcoder takes no more work and leaves when what it has is done.
struct Leaving {
    std::int64_t within_ms = 0;
    bool operator==(const Leaving&) const = default;
};

struct Goodbye {
    std::string reason;
    bool operator==(const Goodbye&) const = default;
};

// ---- control lane, orchestrator -> transcoder
// ------------------------------------------------------

struct Enrolled {
    std::string name;  // as the orchestrator will call it
    bool operator==(const Enrolled&) const = default;
};

enum class JoinRefusal : std::uint8_t { malformed, expired, refused, foreign, protocol };
[[nodiscard]] std::string_view to_string(JoinRefusal reason);
struct JoinRefused {
    JoinRefusal reason = JoinRefusal::refused;
    std::string detail;
    bool operator==(const JoinRefused&) const = default;
};

struct Welcome {
    std::string name;              // as registered; may be NAME-2
    std::string payload_endpoint;  // "HOST:PORT"; empty host = the control lane's
    std::int64_t heartbeat_ms = 1000;
    std::int64_t lease_ms = 3000;
    bool operator==(const Welcome&) const = default;
};

// "I do not know you": the answer to anything but Hello from a transcoder without a record.
struct WhoAreYou {
    bool operator==(const WhoAreYou&) const = default;
};

struct HeartbeatAck {
    std::uint64_t number = 0;
    std::int64_t sent_at_us = 0;
    bool operator==(const HeartbeatAck&) const = default;
};

struct Reserve {
    ReservationId reservation;
    SessionId session;
    Cost cost;
    std::uint32_t ordinal = 0;  // 0 = the session's slot, 1.. = redundancy and second attempts
    bool operator==(const Reserve&) const = default;
};

struct Release {
    SessionId session;
    bool operator==(const Release&) const = default;
};

// One attempt of one task, in a slot the transcoder has granted to the session.
struct Dispatch {
    TaskId task;
    AttemptNo attempt;
    TaskKind kind = TaskKind::transcode;
    SegmentKey segment;
    std::uint64_t bytes = 0;        // of the source; 0 = still arriving, its length not known yet
    std::int64_t duration_ms = 0;   // as far as known; 0 = unknown
    std::int64_t time_left_ms = 0;  // until the deadline
    Ladder ladder;
    bool allow_audio_only = false;
    Cost cost;
    SeamContext seam;
    bool operator==(const Dispatch&) const = default;
};

enum class CancelReason : std::uint8_t { superseded, deadline, session_ended, stalled, stopping };
struct Cancel {
    TaskId task;
    AttemptNo attempt;
    CancelReason reason = CancelReason::superseded;
    bool operator==(const Cancel&) const = default;
};

// The operator drains or cordons this transcoder; an empty slot list follows by itself.
struct DrainRequest {
    bool leave = false;  // true: finish and exit; false: keep running without new sessions
    bool operator==(const DrainRequest&) const = default;
};

using ToOrchestrator = std::variant<Enrol, Hello, Heartbeat, SlotGranted, SlotRefused, TaskProgress,
                                    TaskFinished, TaskFailed, Leaving, Goodbye>;
using ToTranscoder = std::variant<Enrolled, JoinRefused, Welcome, WhoAreYou, HeartbeatAck, Reserve,
                                  Release, Dispatch, Cancel, DrainRequest>;

// Who speaks, and under which epoch and incarnation. A transcoder that has no Welcome yet sends
// epoch 0.
struct Fence {
    Epoch epoch;
    Incarnation incarnation;
    bool operator==(const Fence&) const = default;
};

struct FromTranscoder {
    Fence fence;
    ToOrchestrator message;
    bool operator==(const FromTranscoder&) const = default;
};

struct FromOrchestrator {
    Fence fence;
    ToTranscoder message;
    bool operator==(const FromOrchestrator&) const = default;
};

// ---- payload lane, both ways
// -----------------------------------------------------------------------

// First message of a payload connection, repeated until LaneWelcome: which control lane it belongs
// to.
struct LaneHello {
    std::uint64_t nonce = 0;
    bool operator==(const LaneHello&) const = default;
};
struct LaneWelcome {
    std::uint64_t nonce = 0;
    bool operator==(const LaneWelcome&) const = default;
};

// The chunk's bytes are the message's second frame; at most kBlockBytes of them.
struct Chunk {
    TransferId transfer;
    std::uint64_t offset = 0;
    bool last = false;
    std::uint64_t total = 0;  // set with `last`, and before when known; 0 = not known yet
    Sha256 sha256{};          // of the whole, set with `last`
    bool operator==(const Chunk&) const = default;
};

// The receiver has room up to this offset (absolute, bytes). Before any Credit it has
// kCreditAtStart.
struct Credit {
    TransferId transfer;
    std::uint64_t limit = 0;
    bool operator==(const Credit&) const = default;
};

// Either side gives the transfer up.
struct TransferAbort {
    TransferId transfer;
    std::string reason;
    bool operator==(const TransferAbort&) const = default;
};

// One a second while the lane carries nothing else, each way: the lane's own sign of life.
struct LaneBeat {
    std::uint64_t number = 0;
    bool operator==(const LaneBeat&) const = default;
};

inline constexpr std::uint64_t kCreditAtStart = 1024 * 1024;  // bytes

using PayloadMessage = std::variant<LaneHello, LaneWelcome, Chunk, Credit, TransferAbort, LaneBeat>;

struct PayloadEnvelope {
    Fence fence;
    PayloadMessage message;
    bool operator==(const PayloadEnvelope&) const = default;
};

}  // namespace millrace
