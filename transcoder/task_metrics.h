#pragma once
// TaskMetrics: what the transcoder counts (contract.md, section 6), fed by the service.
//
// Thread: loop; exposition() too. Owner: run.

#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/domain/segment.h"
#include "common/domain/stages_used.h"
#include "common/metrics/metrics.h"
#include "transcoder/core/transcoder_core.h"
#include "transcoder/gpu/gpu_stock.h"
#include "transcoder/gpu/nvml.h"

namespace millrace::transcoder {

class TaskMetrics {
public:
    explicit TaskMetrics(std::string_view version);

    // `outcome` as in TaskEnded; refused tasks were never ours and are not counted.
    void task_ended(std::string_view outcome);
    void received(Duration took);
    // What an engine made of a segment.
    void transcoded(const TranscodeReport& report);
    void sent(Duration took);
    void engine_restarted(std::string_view reason);
    void link(const std::string& orchestrator, bool up);

    // What the GPUs of the machine tell; what they no longer tell disappears.
    void gpus(const std::vector<gpu::Reading>& readings);

    // Those that this transcoder was told to use. After gpus(), which forgets what it does not know.
    void gpu_states(const gpu::Stock& stock);
    // A segment of a transcoder with GPUs.
    void stages(const StagesUsed& used);

    // The page as of now.
    [[nodiscard]] std::string exposition(const CoreStatus& status);

private:
    void stage(std::string_view name, double seconds);
    metrics::Metrics metrics_;
};

}  // namespace millrace::transcoder
