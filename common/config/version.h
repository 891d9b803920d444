#pragma once
// The version of this build, as `--version`, /status, Hello and build_info say it ("0.1.0").

#include <string_view>

namespace millrace::config {

[[nodiscard]] std::string_view version();

}  // namespace millrace::config
