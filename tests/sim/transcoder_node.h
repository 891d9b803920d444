#pragma once
// A simulated transcoder process: the production TranscoderCore, with models of its shell (lanes, transfers)
// and of its engines around it. It checks what the shell can see: that slots and engines are used as promised.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/domain/protocol.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "transcoder/core/transcoder_core.h"

namespace millrace::sim {

// How the engines of one transcoder behave just now.
struct EngineMood {
    double slow = 1;          // factor on work time
    double fail_chance = 0;   // per task
    double crash_chance = 0;  // per task
    double hang_chance = 0;   // per task
    double lie_chance = 0;    // per task: the report is not what was made
};

class TranscoderNode final : public Node {
public:
    TranscoderNode(Context& context, Network& network, unsigned index, unsigned slots);
    ~TranscoderNode() override;

    void boot();
    void kill();
    void drain();                    // SIGTERM; the process ends by itself
    void set_slots(unsigned slots);  // capacity flap
    EngineMood mood;

    // From the network.
    void connected(Path path);
    void lost(Path path);
    void receive(Path path, const Frame& frame);

    [[nodiscard]] const TranscoderKey& key() const { return key_; }
    [[nodiscard]] unsigned slots() const { return slots_; }
    [[nodiscard]] bool ready() const;
    [[nodiscard]] transcoder::CoreStatus status() const;

protected:
    std::optional<TimePoint> settle() override;

private:
    using TaskRef = transcoder::TaskRef;
    using SlotNo = transcoder::SlotNo;
    using OrchestratorIndex = transcoder::OrchestratorIndex;

    struct Engine {
        std::optional<TaskRef> task;
        bool replacing = false;
        std::uint64_t job = 0;  // outdates events of former jobs
        unsigned step = 0;
        unsigned steps = 0;
        unsigned stops_at = 0;  // the step that fails, crashes or hangs; 0 = none
        EngineMood mood;        // what happens there
        Duration per_step{0};
        Duration media{0};
    };
    struct Rendition {
        BlobPtr blob;
        bool acknowledged = false;
    };
    struct Held {
        std::optional<Dispatch> dispatch;
        Epoch epoch;
        std::uint64_t source_bytes = 0;  // arrived so far
        BlobPtr source;
        std::vector<Rendition> renditions;
        bool finished = false;
    };
    struct Early {  // chunks that outran their Dispatch
        Epoch epoch;
        std::vector<std::pair<Chunk, Frame>> chunks;
    };

    void perform(const transcoder::OpenControl& e);
    void perform(const transcoder::OpenPayload& e);
    void perform(const transcoder::CloseLanes& e);
    void perform(const transcoder::SendControl& e);
    void perform(const transcoder::SendPayload& e);
    void perform(const transcoder::ExpectSource& e);
    void perform(const transcoder::StartEngine& e);
    void perform(const transcoder::StopEngine& e);
    void perform(const transcoder::SeatEngine& e);
    void perform(const transcoder::GpuFailed& e);
    void perform(const transcoder::DropTask& e);
    void perform(const transcoder::RememberOrchestrator&) {}
    void perform(const transcoder::LinkChanged& e);
    void perform(const transcoder::TaskEnded& e);
    void perform(const transcoder::Exit& e);

    void on_control(OrchestratorIndex from, FromOrchestrator message);
    void on_payload(OrchestratorIndex from, const PayloadEnvelope& message, const Frame& frame);
    void on_chunk(OrchestratorIndex from, const Chunk& chunk, const Frame& frame);
    void take_source(TaskRef ref, Held& held, const Chunk& chunk, const Frame& frame);
    void rendition_settled(OrchestratorIndex from, const TransferId& transfer);
    void send_rendition(TaskRef ref, const Held& held, const Rendition& rendition);
    void send_payload(OrchestratorIndex to, Epoch epoch, PayloadMessage message, BlobPtr body = {},
                      std::uint64_t body_bytes = 0);
    void check_grant(OrchestratorIndex to, const SlotGranted& granted);

    void begin_work(SlotNo slot);
    void engine_step(SlotNo slot, std::uint64_t job);
    void engine_trouble(SlotNo slot, Engine& engine);
    void finish(SlotNo slot, Engine& engine);
    void replace_engine(SlotNo slot);
    void lie(TranscodeReport& report);
    void make_renditions(TaskRef ref, const Engine& engine);
    [[nodiscard]] TranscodeReport report_of(const Held& held, Duration media) const;
    [[nodiscard]] Epoch epoch_of(OrchestratorIndex orchestrator) const;
    [[nodiscard]] Path path(OrchestratorIndex orchestrator, Lane lane) const {
        return {index(), orchestrator.value, lane};
    }

    Network& network_;
    TranscoderKey key_;
    unsigned slots_;
    Incarnation incarnation_;
    unsigned lies_left_ = 2;  // a third one within minutes gets a transcoder quarantined
    std::unique_ptr<transcoder::TranscoderCore> core_;
    std::vector<Engine> engines_;
    std::map<TaskRef, Held> held_;
    std::map<TaskRef, Early> early_;
    std::set<std::pair<OrchestratorIndex, SessionId>> told_;  // granted, as far as was said
    std::map<OrchestratorIndex, Epoch> first_epoch_;          // for the planted bug
};

}  // namespace millrace::sim
