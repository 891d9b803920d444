#include "orchestrator/front/ladder_request.h"

#include <nlohmann/json.hpp>

#include "common/config/ladder_json.h"
#include "common/domain/supported.h"

namespace millrace::orchestrator {
namespace {

using Fields = std::vector<http::ProblemField>;

// What reads well and cannot be done here. `at` is put in front of the paths.
Fields impossible(const Ladder& ladder, std::size_t renditions_max, const std::string& at) {
    Fields fields;
    if (ladder.size() > renditions_max)
        fields.push_back({at, "at most " + std::to_string(renditions_max) + " renditions"});
    for (const FieldProblem& problem : unsupported_fields(ladder)) {
        const bool rooted = problem.path.starts_with('$');
        fields.push_back({at + problem.path.substr(rooted ? 1 : 0), problem.detail});
    }
    return fields;
}

LadderRequest judged(config::Parsed<Ladder> parsed, std::size_t renditions_max,
                     const std::string& at) {
    Fields fields;
    for (const config::FieldError& mistake : parsed.errors())
        fields.push_back({mistake.path, mistake.detail});
    if (!parsed)
        return fields;
    fields = impossible(*parsed, renditions_max, at);
    if (!fields.empty())
        return fields;
    return std::move(parsed).value();
}

}  // namespace

LadderRequest ladder_of_header(std::string_view json, std::size_t renditions_max) {
    // An object holds its renditions under "profiles"; a bare array is the renditions.
    const bool bare =
        json.substr(std::min(json.find_first_not_of(" \t"), json.size())).starts_with('[');
    return judged(config::parse_transcode_configuration(json), renditions_max,
                  bare ? "" : "profiles");
}

LadderRequest ladder_of_json(const nlohmann::json& value, std::size_t renditions_max) {
    return judged(config::read_ladder(value, "ladder"), renditions_max, "ladder");
}

}  // namespace millrace::orchestrator
