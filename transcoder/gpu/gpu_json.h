#pragma once
// A GPU as `/status` and `transcoder devices --json` show it. What a card does not tell is null.
//
// Thread: any; pure.

#include <nlohmann/json_fwd.hpp>

#include "common/domain/stages_used.h"
#include "transcoder/gpu/gpu_stock.h"
#include "transcoder/gpu/nvml.h"

namespace millrace::gpu {

[[nodiscard]] nlohmann::json to_json(const Reading& gpu);
// State, reason, limit, and every stage that was tried; to be merged into its reading's.
[[nodiscard]] nlohmann::json to_json(const GpuRecord& record);
// A number by each name that there is: segments by who decoded, renditions by who encoded.
[[nodiscard]] nlohmann::json decoders_json(const StageCounts& counts);
[[nodiscard]] nlohmann::json encoders_json(const StageCounts& counts);

}  // namespace millrace::gpu
