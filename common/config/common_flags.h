#pragma once
// Flags that both programs have. Internal to common/config.

#include <vector>

#include "common/config/options.h"
#include "common/config/values.h"
#include "common/domain/rendition.h"

namespace millrace::config {

void add_log_flags(std::vector<Flag>& flags, LogOptions& log);

// A ladder as --ladder takes it, refused when this version cannot do it
// (common/domain/supported.h). Also takes the JSON itself, so that a configuration file can hold a
// ladder in place.
[[nodiscard]] Result<Ladder> accept_ladder(std::string_view text);

}  // namespace millrace::config
