#pragma once
// What the front asks of the orchestrator's loop, and what the loop tells the front. The service
// implements IngestPort over the core; the front implements PlaybackSink over its playlists. Tests
// put fakes here.
//
// Thread: IngestPort may be called from any thread; its callbacks run on the loop thread and must
// not block (post to your own thread). Each callback runs exactly once, also at shutdown.
// PlaybackSink is called on the loop thread.

#include <functional>
#include <optional>
#include <variant>

#include "orchestrator/core/orchestrator_core.h"
#include "orchestrator/front/answered_segment.h"
#include "orchestrator/front/arriving_body.h"

namespace millrace::orchestrator {

using Answer = std::variant<AnsweredSegmentPtr, Refusal>;

class IngestPort {
public:
    virtual ~IngestPort() = default;

    virtual void begin_upload(UploadRequest request,
                              std::function<void(UploadDecision)> decided) = 0;
    // Its first bytes are here and look like media; the rest goes into `body`, too, as it comes.
    virtual void upload_arrives(UploadId upload, ArrivingBodyPtr body) = 0;
    // The body is complete and `sha256` is its hash. Answers when the task ends, however it ends.
    virtual void finish_upload(UploadId upload, PayloadPtr body, Sha256 sha256,
                               std::function<void(Answer)> answered) = 0;
    // The body was cut short, too long or garbage: nothing is left of the upload.
    virtual void abort_upload(UploadId upload) = 0;

    virtual void open_session(SessionRequest request, std::function<void(OpenOutcome)> opened) = 0;
    // Nothing = ended. `owner`: only one of this account; none = anybody's.
    virtual void end_session(SessionId session, std::optional<AccountId> owner,
                             std::function<void(std::optional<Refusal>)> ended) = 0;
};

class PlaybackSink {
public:
    virtual ~PlaybackSink() = default;

    // Accepted; playlists wait for it until `deadline`. May come again with a later or earlier
    // deadline.
    virtual void segment_expected(const StreamName& stream, const SegmentKey& segment,
                                  TimePoint deadline) = 0;
    virtual void segment_answered(const AnsweredSegmentPtr& segment) = 0;
    virtual void segment_failed(const StreamName& stream, const SegmentKey& segment) = 0;
    virtual void session_ended(const SessionId& session, const StreamName& stream) = 0;
};

}  // namespace millrace::orchestrator
