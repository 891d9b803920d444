#pragma once
// A GPU as `/status` and `transcoder devices --json` show it. What a card does not tell is null.
//
// Thread: any; pure.

#include <nlohmann/json_fwd.hpp>

#include "transcoder/gpu/nvml.h"

namespace millrace::gpu {

[[nodiscard]] nlohmann::json to_json(const Reading& gpu);

}  // namespace millrace::gpu
