#pragma once
// The journal as JSON: traces for `orchestrator trace`, events for /events.
//
// Thread: any; values.

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "orchestrator/journal/journal.h"

namespace millrace::orchestrator::admin {

[[nodiscard]] nlohmann::json traces_json(const std::vector<const Trace*>& traces);

// One server-sent event: "event: segment\ndata: {…}\n\n".
[[nodiscard]] std::string event_text(const Event& event);
[[nodiscard]] std::string event_text(std::string_view kind, const nlohmann::json& data);

}  // namespace millrace::orchestrator::admin
