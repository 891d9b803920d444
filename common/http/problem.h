#pragma once
// Refusals as `application/problem+json` (RFC 9457) in the words of contract.md, section 4.
//
// Thread: any; values.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "common/domain/api_code.h"
#include "common/http/message.h"

namespace millrace::http {

// One mistake in a document the caller sent, by JSON path ("$[0].width").
struct ProblemField {
    std::string path;
    std::string detail;
    bool operator==(const ProblemField&) const = default;
};

struct Problem {
    ApiCode code = ApiCode::internal;
    std::string detail;
    std::vector<ProblemField> errors;
    std::optional<Duration> retry_after = std::nullopt;  // rounded up to whole seconds
    // Further members of the object, name and text ("session_id").
    std::vector<std::pair<std::string, std::string>> members = {};
};

// {type, title, status, code, detail, retryable, errors?}; bytes that are not UTF-8 are replaced.
[[nodiscard]] std::string to_json(const Problem& problem);
[[nodiscard]] Response to_response(const Problem& problem);

}  // namespace millrace::http
