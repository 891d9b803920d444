#pragma once
// Ladders that broadcasters send along: read, and refused as a whole with every mistake by path.
//
// Thread: any; pure.

#include <string_view>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "common/domain/rendition.h"
#include "common/http/problem.h"

namespace millrace::orchestrator {

using LadderRequest = std::variant<Ladder, std::vector<http::ProblemField>>;

// The header Livepeer-Transcode-Configuration; an empty ladder = use the default.
[[nodiscard]] LadderRequest ladder_of_header(std::string_view json, std::size_t renditions_max);
// The value under "ladder" in a larger document.
[[nodiscard]] LadderRequest ladder_of_json(const nlohmann::json& value, std::size_t renditions_max);

}  // namespace millrace::orchestrator
