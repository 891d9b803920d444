#pragma once
// Which of the machine's GPUs a transcoder was told to use (`--nvidia`).
//
// Thread: any; pure.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/config/gpu_selection.h"
#include "transcoder/gpu/nvml.h"

namespace millrace::gpu {

struct Chosen {
    std::uint32_t index = 0;  // as NVML counts
    std::string uuid;         // empty: it fell off the bus
    std::string name;
    std::optional<std::uint32_t> sessions_max;  // of --nvidia; none: no limit of its own
};

// In the order of the selection, or by index for `all`. The error (device) names everything that was
// asked for and is not there, or is asked for twice, and what there is.
[[nodiscard]] Result<std::vector<Chosen>> choose(const config::GpuSelection& selection,
                                                 const std::vector<Reading>& present);

}  // namespace millrace::gpu
