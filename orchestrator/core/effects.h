#pragma once
// What the core wants done. Effects come out in order and are carried out in order; the shell
// (orchestrator/service.h) does nothing that is not an effect, and the core does nothing else.
//
// Thread: values; made and consumed on the orchestrator's loop.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/domain/api_code.h"
#include "common/domain/protocol.h"
#include "common/domain/receipt.h"
#include "common/domain/segment.h"

namespace millrace::orchestrator {

// A typed no. `detail` is a sentence for the broadcaster; `retry_after` is set where waiting helps.
struct Refusal {
    ApiCode code = ApiCode::internal;
    std::string detail;
    std::optional<Duration> retry_after;
    bool operator==(const Refusal&) const = default;
};

// Send a control message to a transcoder.
struct Send {
    TranscoderKey to;
    ToTranscoder message;
    bool operator==(const Send&) const = default;
};

// Start to send the task's source on the payload lane (follows the Dispatch of the attempt).
struct StartTransfer {
    TranscoderKey to;
    TransferId transfer;
    bool operator==(const StartTransfer&) const = default;
};

// Start to send what has arrived of an upload, and what still does, as the source of this transfer (follows the
// Dispatch of an attempt that was begun early).
struct StartEarlyTransfer {
    TranscoderKey to;
    TransferId transfer;
    UploadId upload;
    bool operator==(const StartEarlyTransfer&) const = default;
};

// The upload became the task of this transfer: send the rest and the hash.
struct FinishTransfer {
    TranscoderKey to;
    TransferId transfer;
    bool operator==(const FinishTransfer&) const = default;
};

// Something worth counting happened. Closed set; the shell maps it to the metrics of contract.md
// section 6.
struct Noted {
    enum class What : std::uint8_t {
        session_opened,
        session_refused,
        session_shed,
        segment_ok,
        segment_bad_input,
        segment_failed,
        segment_refused,
        segment_cancelled,
        attempt_ok,
        attempt_failed,
        attempt_stalled,
        attempt_lost,
        attempt_refused,
        attempt_superseded,
        attempt_late,
        retry,
        hedge_won,
        hedge_lost,
        stale_epoch,
        stale_incarnation,
        stale_attempt,
        stale_duplicate,
        bad_result,
    };
    What what = What::segment_ok;
    ApiCode code = ApiCode::internal;  // with *_refused
    std::string transcoder;            // its name, where one is concerned
    // Why, from a closed set. retry: lost, stalled, failed, refused, late, bad_result, transfer,
    // headers.
    std::string reason{};
    bool operator==(const Noted&) const = default;
};

// The attempt is over: stop sending its source, forget what came back of its renditions.
struct DropAttempt {
    TranscoderKey at;
    TaskId task;
    AttemptNo attempt;
    Noted::What why = Noted::What::attempt_superseded;  // attempt_*, or bad_result
    bool operator==(const DropAttempt&) const = default;
};

// Make this result durable, exactly once, then call committed(). The rows of the ledger come from
// here.
struct Commit {
    TaskId task;
    AttemptNo attempt;
    SegmentKey segment;
    StreamName stream;
    AccountId account;
    TranscoderKey transcoder;
    std::string transcoder_name;
    std::uint64_t source_bytes = 0;
    TranscodeReport report;
    std::optional<SignedReceipt> receipt = std::nullopt;  // of whoever signs
    bool operator==(const Commit&) const = default;
};

// The task is done: build the answer from its source and the attempt's renditions, keep it under
// `answer` for replay and playback, tell everybody who waits for the task.
struct Deliver {
    TaskId task;
    AttemptNo attempt;
    AnswerId answer;
    SegmentKey segment;
    StreamName stream;
    TranscodeReport report;
    std::string transcoder_name;
    Duration queued{0};          // accepted until the first dispatch
    Duration total{0};           // accepted until now
    bool discontinuity = false;  // first segment of a run after the first
    bool operator==(const Deliver&) const = default;
};

// The task ends without a result: tell everybody who waits, drop its bytes.
struct Fail {
    TaskId task;
    SegmentKey segment;
    StreamName stream;
    Refusal refusal;
    bool operator==(const Fail&) const = default;
};

// A segment was accepted and will be answered, or given up, by `deadline`: playlists wait for it
// until then. Comes again when the engine's measured duration moves the deadline.
struct Expect {
    TaskId task;
    SegmentKey segment;
    StreamName stream;
    TimePoint deadline;
    bool operator==(const Expect&) const = default;
};

// The kept answer is no longer needed for replay.
struct ForgetAnswer {
    AnswerId answer;
    bool operator==(const ForgetAnswer&) const = default;
};

// Store or update the session's row (not awaited by anybody).
struct PersistSession {
    SessionId session;
    StreamName stream;
    AccountId account;
    Ladder ladder;
    std::uint32_t run = 0;
    std::uint64_t last_seq = 0;
    bool has_seq = false;
    bool ended = false;
    bool operator==(const PersistSession&) const = default;
};

enum class EndReason : std::uint8_t { idle, requested, replaced };
[[nodiscard]] std::string_view to_string(EndReason reason);
struct SessionEnded {
    SessionId session;
    StreamName stream;
    EndReason reason = EndReason::idle;
    bool operator==(const SessionEnded&) const = default;
};

// A transcoder's registry record changed (joined, renamed, state, lost): for logs and the store's
// names.
struct TranscoderChanged {
    TranscoderKey key;
    std::string name;
    std::string state;  // as in /status: ready, draining, cordoned, quarantined, lost; "left" when
                        // gone for good
    std::string reason;
    bool operator==(const TranscoderChanged&) const = default;
};

// A transcoder has told for the first time what it signs with: keep it before anything of it is committed.
struct KeepSigner {
    TranscoderKey key;
    SignerKey signer;
    bool operator==(const KeepSigner&) const = default;
};

// An operator has said so: it holds until the opposite is said, also over a restart.
struct KeepCordon {
    TranscoderKey key;
    bool cordoned = false;
    bool operator==(const KeepCordon&) const = default;
};

using Effect = std::variant<Send, StartTransfer, StartEarlyTransfer, FinishTransfer, DropAttempt,
                            Commit, Deliver, Fail, Expect, ForgetAnswer, PersistSession,
                            SessionEnded, TranscoderChanged, KeepSigner, KeepCordon, Noted>;
using Effects = std::vector<Effect>;

}  // namespace millrace::orchestrator
