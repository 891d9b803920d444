#pragma once
// Results of the pipeline as JSON for people and scripts (`transcode --json`).
//
// Thread: any; pure functions.

#include <nlohmann/json_fwd.hpp>

#include "common/domain/segment.h"

namespace millrace::transcoder {

[[nodiscard]] nlohmann::json to_json(const TranscodeReport& report);

}  // namespace millrace::transcoder
