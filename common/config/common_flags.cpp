#include "common/config/common_flags.h"

#include "common/config/ladder_json.h"
#include "common/domain/supported.h"

namespace millrace::config {

void add_log_flags(std::vector<Flag>& flags, LogOptions& log) {
    flags.push_back(value_flag({"log-level", "LEVEL", "trace, debug, info, warn or error", "info"},
                               log.level, parse_log_level));
    flags.push_back(
        value_flag({"log-format", "FORMAT", "text or json", "text"}, log.format, parse_log_format));
}

Result<Ladder> accept_ladder(std::string_view text) {
    const bool in_place = text.starts_with('[');
    auto ladder = in_place ? parse_ladder(text) : parse_ladder_option(text);
    if (!ladder)
        return error(ErrorKind::bad_input, to_string(ladder.errors()));
    std::vector<FieldError> refused;
    for (const FieldProblem& problem : unsupported_fields(*ladder))
        refused.push_back({problem.path, problem.detail});
    if (!refused.empty())
        return error(ErrorKind::bad_input, to_string(refused));
    return *std::move(ladder);
}

}  // namespace millrace::config
