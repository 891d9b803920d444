#pragma once
// A simulated orchestrator process: the production OrchestratorCore, with models of its shell (front, lanes,
// transfers) and its store around it. It checks what the shell can see: that every accepted segment is
// answered once and in time, that only the attempt on record is committed, and what stands in an answer.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "orchestrator/core/orchestrator_core.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/store_model.h"

namespace millrace::sim {

// What a broadcaster hears: a segment's answer, a refusal, or nothing because the connection broke.
struct Answered {
    SegmentKey segment;
    std::uint64_t content = 0;  // of all renditions together; equal answers have equal ones
};
struct Reset {};
using Reply = std::variant<Answered, orchestrator::Refusal, Reset>;
using OnReply = std::function<void(const Reply&)>;

struct Tally {
    std::uint64_t accepted = 0;
    std::uint64_t delivered = 0;
    std::uint64_t failed = 0;
    std::uint64_t replayed = 0;
    std::uint64_t refused = 0;
    std::uint64_t retries = 0;
    std::uint64_t stale = 0;
    std::uint64_t starts = 0;
};

class OrchestratorNode final : public Node {
public:
    OrchestratorNode(Context& context, Network& network, unsigned index);
    ~OrchestratorNode() override;

    void boot();
    void kill();
    StoreModel& store() { return store_; }

    // From broadcasters; the reply comes exactly once, after a network delay.
    void upload(const orchestrator::UploadRequest& request, BlobPtr body, Duration upload_time,
                bool cut_short, OnReply reply);
    void end_session_of(const StreamName& stream);

    // From operators.
    void command(std::string_view name, orchestrator::OrchestratorCore::TranscoderCommand what);
    void set_operator_limit(std::optional<std::uint32_t> sessions);
    void set_stake(std::optional<std::uint32_t> sessions, bool active);
    void revoke(const TranscoderKey& key);
    void readmit(const TranscoderKey& key);
    void store_available(bool available);
    void begin_shutdown();
    [[nodiscard]] bool shutting_down() const { return shutting_down_; }

    // From the network.
    void receive(Path path, ConnectionId connection, const Frame& frame);
    void closed(Path path, ConnectionId connection);

    [[nodiscard]] const Tally& tally() const { return tally_; }
    [[nodiscard]] orchestrator::CoreStatus status() const { return core_->status(); }
    // Nothing in flight, no slot reserved; else what is left.
    [[nodiscard]] std::string leftovers() const;

protected:
    std::optional<TimePoint> settle() override;
    void on_resumed(Duration away) override;

private:
    using RequestId = std::uint64_t;

    struct PendingTask {
        SegmentKey segment;
        BlobPtr body;
        std::vector<RequestId> waiters;
        std::optional<TimePoint> deadline;
        bool committing = false;
        bool calm = false;                            // accepted when nothing may go wrong any more
        AttemptNo attempt;                            // the last one dispatched
        std::set<AttemptNo> started;                  // as far as we heard
        std::map<std::uint32_t, BlobPtr> renditions;  // of the attempt that commits
    };
    struct Attempt {
        TranscoderKey at;
        unsigned transcoder = 0;
        std::map<std::uint32_t, std::uint64_t> arrived;  // bytes, by place in the ladder
        std::map<std::uint32_t, BlobPtr> renditions;
        bool committing = false;
    };
    // What was sent of a source before all of it was there, and of what upload.
    struct Early {
        UploadId upload;
        std::uint64_t sent = 0;
    };
    struct Peer {
        unsigned transcoder = 0;
        ConnectionId control = 0;
        ConnectionId payload = 0;
        Incarnation incarnation;
        TimePoint control_heard;
        TimePoint payload_heard;
        std::uint64_t nonce = 0;
        bool bound = false;
    };
    struct Kept {
        SegmentKey segment;
        std::uint64_t content = 0;
    };

    void perform(const orchestrator::Send& e);
    void perform(const orchestrator::StartTransfer& e);
    void perform(const orchestrator::StartEarlyTransfer& e);
    void perform(const orchestrator::FinishTransfer& e);
    void perform(const orchestrator::DropAttempt& e);
    void perform(const orchestrator::Commit& e);
    void perform(const orchestrator::Deliver& e);
    void perform(const orchestrator::Fail& e);
    void perform(const orchestrator::Expect& e);
    void perform(const orchestrator::ForgetAnswer& e);
    void perform(const orchestrator::PersistSession& e);
    void perform(const orchestrator::SessionEnded& e);
    void perform(const orchestrator::TranscoderChanged& e);
    void perform(const orchestrator::KeepSigner& e);
    void perform(const orchestrator::KeepCordon& e);
    void perform(const orchestrator::Noted& e);

    void on_control(const TranscoderKey& from, Peer& peer, FromTranscoder message);
    void on_payload(const TranscoderKey& from, Peer& peer, const PayloadEnvelope& message,
                    const Frame& frame);
    void on_chunk(const TranscoderKey& from, Peer& peer, Chunk chunk, const Frame& frame);
    void send_payload(const Peer& peer, PayloadMessage message, BlobPtr body = {},
                      std::uint64_t body_bytes = 0);
    void lane_duty();
    void forget_fence(TaskId& task, AttemptNo& attempt, TranscoderKey* from) const;

    void body_complete(UploadId upload, const BlobPtr& body, RequestId request);
    void reply_to(RequestId request, Reply reply);
    void check_dispatch(const orchestrator::Send& e, const Dispatch& dispatch);
    void check_alive(const Peer& peer) const;
    void send_source(const TranscoderKey& to, const TransferId& transfer, const BlobPtr& body,
                     std::uint64_t from, std::uint64_t end, bool whole);
    void check_deadlines();
    void check_reserve(const orchestrator::Send& e);
    void check_in_flight(const SessionId& session) const;
    [[nodiscard]] std::uint64_t check_renditions(const orchestrator::Commit& e,
                                                 const Attempt& attempt) const;

    Network& network_;
    StoreModel store_;
    Epoch epoch_;
    std::unique_ptr<orchestrator::OrchestratorCore> core_;
    std::map<TranscoderKey, Peer> peers_;
    std::map<TaskId, PendingTask> tasks_;
    std::map<std::pair<TaskId, AttemptNo>, Attempt> attempts_;
    std::map<UploadId, BlobPtr> arriving_;
    std::map<TaskId, Early> early_;
    std::map<AnswerId, Kept> answers_;
    std::map<RequestId, OnReply> requests_;
    RequestId next_request_ = 1;
    bool shutting_down_ = false;
    ReservationId last_reservation_;
    Tally tally_;
};

}  // namespace millrace::sim
