#pragma once
// Service: the transcoder's loop. It owns the core, the links and the engines, and carries out the
// core's effects; everything that reaches the core passes here, on one thread.
//
// Each entry does the same three things: tell the core, carry out the effects, set the timer to the
// core's next deadline. Bytes stay here and in the links: the core knows ids.
//
// Thread: loop. Owner: run.

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/domain/segment_limits.h"
#include "common/net/context.h"
#include "common/net/keys.h"
#include "common/runtime/loop.h"
#include "common/runtime/payload.h"
#include "transcoder/core/transcoder_core.h"
#include "transcoder/data_dir.h"
#include "transcoder/engine_bay.h"
#include "transcoder/gpu/gpu_stock.h"
#include "transcoder/gpu/gpu_watch.h"
#include "transcoder/link/credentials.h"
#include "transcoder/link/orchestrator_link.h"
#include "transcoder/task_metrics.h"

namespace millrace::transcoder {

struct ServiceOptions {
    CoreConfig core;  // enrolled, has_token and token_id are filled in from `credentials`
    std::vector<Credentials> credentials;  // one per orchestrator, in order
    SegmentLimits limits;
    std::string software;  // what receipts say of us, as receipt_text() makes it
    std::string device;
    gpu::Stock gpus;  // of --nvidia; core.gpus are those of them that are ready, in order
};

class Service final : public LinkEvents, public EngineEvents {
public:
    struct Parts {
        Loop& loop;
        const net::Context& context;
        const net::KeyPair& own;
        const net::Signer& signer;
        std::shared_ptr<BlockPool> pool;
        const DataDir& data_dir;
        TaskMetrics& metrics;
        const gpu::Watch& gpus;
    };

    // `leave` is called once, when the process is to end with that code and that sentence.
    Service(Parts parts, ServiceOptions options,
            std::function<void(int code, const std::string& message)> leave);
    ~Service() override;

    void start();
    // The first call drains, the second leaves at once.
    void drain();

    [[nodiscard]] CoreStatus status() const { return core_.status(); }
    [[nodiscard]] bool ready() const { return core_.ready(); }
    // What our receipts are signed with.
    [[nodiscard]] const SignerKey& signer() const { return parts_.signer.key(); }
    // Of the engine that came up last; none before the first.
    [[nodiscard]] const std::optional<EngineWalls>& walls() const { return walls_; }
    // Those of --nvidia as they are now.
    [[nodiscard]] gpu::Stock gpus() const;
    [[nodiscard]] std::vector<GpuReading> gpu_readings() const;
    // Of segments with pictures, since start; nothing where there are no GPUs.
    [[nodiscard]] const StageCounts& stages() const { return stages_; }

    // LinkEvents
    void link_event(OrchestratorIndex from, LaneEvent event) override;
    void link_control(OrchestratorIndex from, const FromOrchestrator& message) override;
    void link_payload(OrchestratorIndex from, const PayloadEnvelope& message) override;
    void link_source_arrived(TaskRef task) override;
    void link_source(TaskRef task, PayloadPtr rest, const Sha256& sha256) override;
    void link_source_broken(TaskRef task, const Error& problem) override;
    void link_renditions_sent(TaskRef task) override;

    // EngineEvents
    void engine_progress(SlotNo slot, TaskRef task, Duration done, Duration total,
                         std::int64_t frames) override;
    void engine_rendition(SlotNo slot, TaskRef task, const RenditionReport& report,
                          PayloadPtr bytes) override;
    void engine_stages(TaskRef task, const StagesUsed& stages) override;
    void engine_finished(SlotNo slot, TaskRef task, const TranscodeReport& report) override;
    void engine_failed(SlotNo slot, TaskRef task, const Error& problem, bool crashed) override;
    void engine_lost(SlotNo slot, const std::string& why, bool device) override;
    void engine_ready(SlotNo slot) override;
    void engine_restarted(std::string_view reason) override;
    void engine_walled(const EngineWalls& walls) override;

private:
    // What the shell knows of a task the core holds.
    struct Task {
        SegmentKey segment;
        PayloadPtr source;           // all of it, until an engine has it
        std::optional<SlotNo> slot;  // whose engine works on it
        // What a GPU is given is kept: should it fail, another engine gets it again.
        bool keeps = false;
        std::vector<PayloadPtr> given;
        bool given_all = false;
        bool again = false;
        std::optional<StagesUsed> stages;  // told by the engine
        TimePoint expected_at;
        TimePoint finished_at;
    };

    [[nodiscard]] TimePoint now() const { return parts_.loop.now(); }
    [[nodiscard]] OrchestratorLink& link(OrchestratorIndex which) {
        return *links_.at(which.value);
    }
    [[nodiscard]] const std::string& address(OrchestratorIndex which) const {
        return links_.at(which.value)->address();
    }
    // Carries out everything the core wants done, then sets the timer.
    void settle();
    void perform(const OpenControl& effect);
    void perform(const OpenPayload& effect);
    void perform(const CloseLanes& effect);
    void perform(const SendControl& effect);
    void perform(const SendPayload& effect);
    void perform(const ExpectSource& effect);
    void perform(const StartEngine& effect);
    void perform(const StopEngine& effect);
    void perform(const SeatEngine& effect);
    void perform(const GpuFailed& effect);
    void perform(const DropTask& effect);
    void perform(const RememberOrchestrator& effect);
    void perform(const LinkChanged& effect);
    void perform(const TaskEnded& effect);
    void perform(const Exit& effect);
    void give(TaskRef ref, Task& task, PayloadPtr piece);
    void give_end(TaskRef ref, Task& task);
    void give_again(TaskRef ref, Task& task);
    [[nodiscard]] const gpu::GpuRecord& record(GpuNo gpu) const {
        return options_.gpus.at(ready_gpus_.at(gpu.value));
    }
    [[nodiscard]] std::string uuid(Place place) const;
    [[nodiscard]] std::vector<std::string> uuids(const std::vector<Place>& places) const;
    void count_stages(const Task& task, const TranscodeReport& report);
    void sign(OrchestratorIndex by, TaskFinished& finished) const;
    [[nodiscard]] bool stopped_by_cancel(const Effects& effects, TaskRef task) const;

    Parts parts_;
    ServiceOptions options_;
    std::function<void(int, const std::string&)> leave_;
    std::vector<std::size_t> ready_gpus_;  // by GpuNo: which of options_.gpus
    TranscoderCore core_;
    std::vector<std::unique_ptr<OrchestratorLink>> links_;
    EngineBay engines_;
    Timer timer_;
    std::map<TaskRef, Task> tasks_;
    std::map<std::string, KnownOrchestrator> known_;
    std::optional<EngineWalls> walls_;
    std::optional<EngineWalls> walls_said_[2];  // without and with a driver
    StageCounts stages_;
    const Effects* batch_ = nullptr;  // being carried out
};

}  // namespace millrace::transcoder
