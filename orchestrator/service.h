#pragma once
// Service: the orchestrator's loop. It owns the core and carries out its effects; everything that reaches
// the core (uploads, transcoders, the store, operators, time) passes here, on one thread.
//
// Each entry does the same three things: tell the core, carry out the effects, set the timer to the core's
// next deadline. Bytes stay here: bodies by task, answered segments by answer; the core knows their sizes.
//
// Thread: the loop's, except the IngestPort calls, which may come from anywhere and are posted.
// Owner: main.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/runtime/loop.h"
#include "common/runtime/payload.h"
#include "orchestrator/core/orchestrator_core.h"
#include "orchestrator/front/ingest_port.h"
#include "orchestrator/link/enrolment.h"
#include "orchestrator/link/transcoder_link.h"

namespace millrace::orchestrator {

namespace store {
class Store;
}
class Journal;
class LiveStreams;
class MetricsView;

class Service final : public IngestPort, public LinkEvents {
public:
    struct Parts {
        Loop& loop;
        store::Store& store;
        Enrolment& enrolment;
        MetricsView& metrics;
        PlaybackSink& playback;
        LiveStreams& streams;
        TranscoderLink& link;
        Journal& journal;
    };

    Service(Parts parts, CoreConfig config);
    ~Service() override;

    void restore(const std::vector<RestoredSession>& sessions,
                 const std::vector<RestoredTranscoder>& transcoders);

    // IngestPort
    void begin_upload(UploadRequest request, std::function<void(UploadDecision)> decided) override;
    void upload_arrives(UploadId upload, ArrivingBodyPtr body) override;
    void finish_upload(UploadId upload, PayloadPtr body, Sha256 sha256,
                       std::function<void(Answer)> answered) override;
    void abort_upload(UploadId upload) override;
    void open_session(SessionRequest request, std::function<void(OpenOutcome)> opened) override;
    void end_session(SessionId session, std::optional<AccountId> owner,
                     std::function<void(std::optional<Refusal>)> ended) override;

    // LinkEvents
    void link_message(const TranscoderKey& from, const FromTranscoder& message) override;
    void link_enrol(const std::string& enrolment_key, const Enrol& request) override;
    void link_lost(const TranscoderKey& key) override;
    void link_payload_lane(const TranscoderKey& key, std::uint64_t nonce, bool up) override;
    void link_progress(const TransferId& transfer, const TranscoderKey& with) override;
    void link_rendition(const TransferId& transfer, const TranscoderKey& from, std::uint64_t bytes,
                        const Sha256& sha256) override;
    void link_transfer_failed(const TransferId& transfer, const TranscoderKey& with,
                              const Error& problem) override;

    // Operators (admin), on the loop.
    [[nodiscard]] Result<void> command(std::string_view name,
                                       OrchestratorCore::TranscoderCommand what);
    void set_stake(std::optional<std::uint32_t> sessions, bool active);
    void set_operator_limit(std::optional<std::uint32_t> sessions);
    void revoke(const TranscoderKey& key);
    void set_account(const AccountId& account, const AccountLimits& limits);
    void remove_account(const AccountId& account);
    void store_available(bool available);

    // No new work from here on; `drained` is called once nothing is in flight.
    void begin_shutdown(std::function<void()> drained);

    [[nodiscard]] const OrchestratorCore& core() const { return core_; }

private:
    using Waiter = std::function<void(Answer)>;

    struct Task {
        PayloadPtr body;
        Sha256 sha256{};
        std::vector<Waiter> waiters;
        std::vector<PayloadPtr>
            renditions;  // by ladder index, once the attempt that commits is known
    };

    // An upload whose body is still arriving, and where it goes already.
    struct Arrival {
        ArrivingBodyPtr body;
        TimePoint began;  // its first bytes were known for video
        TranscoderKey to;
        std::optional<TransferId> transfer;
    };

    // Loop time, for the core. Notices when the loop was away since it was asked last.
    [[nodiscard]] TimePoint now();
    void pulse();
    void pour(UploadId upload);
    void forget_arrival(UploadId upload);
    void finish_on_loop(UploadId upload, PayloadPtr body, const Sha256& sha256, Waiter answered);

    // False: they could not be written.
    void when_sessions_written(std::function<void(bool)> then);

    // Carries out everything the core wants done, then sets the timer.
    void settle();
    void perform(const Send& effect);
    void perform(const StartTransfer& effect);
    void perform(const StartEarlyTransfer& effect);
    void perform(const FinishTransfer& effect);
    void perform(const DropAttempt& effect);
    void perform(const Commit& effect);
    void perform(const Deliver& effect);
    void perform(const Fail& effect);
    void perform(const Expect& effect);
    void perform(const ForgetAnswer& effect);
    void perform(const PersistSession& effect);
    void perform(const SessionEnded& effect);
    void perform(const TranscoderChanged& effect);
    void perform(const KeepSigner& effect);
    void perform(const KeepCordon& effect);
    void perform(const Noted& effect);
    void answer_all(Task& task, const Answer& answer);

    Loop& loop_;
    store::Store& store_;
    Enrolment& enrolment_;
    MetricsView& metrics_;
    PlaybackSink& playback_;
    LiveStreams& streams_;
    TranscoderLink& link_;
    Journal& journal_;
    OrchestratorCore core_;
    Timer timer_;
    Timer pulse_timer_;
    TimePoint last_turn_;
    std::unordered_map<UploadId, Arrival> arrivals_;
    std::unordered_map<TaskId, Task> tasks_;
    std::unordered_map<AnswerId, AnsweredSegmentPtr> answers_;
    int sessions_being_written_ = 0;  // whose callers wait for it
    std::function<void()> drained_;
    // Store callbacks may come after we are gone.
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace millrace::orchestrator
