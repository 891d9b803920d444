#pragma once
// Where programs keep their data when nobody says so, and how this machine is called. Shared by the
// two configuration tables. Internal to common/config.

#include <map>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace millrace::config {

// $STATE_DIRECTORY (systemd's; the first of a list) as it is, else
// ~/.local/state/millrace/<below_home>. Empty when there is no home either.
[[nodiscard]] std::string default_data_dir(const std::map<std::string, std::string>& environment,
                                           std::string_view below_home);

// The host's name with whatever a transcoder's name may not hold turned into '-'.
[[nodiscard]] std::string host_name();

// [A-Za-z0-9._-]{1,64}, not "." or "..".
[[nodiscard]] Result<std::string> parse_name(std::string_view text);
[[nodiscard]] Result<std::string> parse_path(std::string_view text);

}  // namespace millrace::config
