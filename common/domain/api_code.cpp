#include "common/domain/api_code.h"

#include <array>

#include "common/base/check.h"

namespace millrace {
namespace {

struct Row {
    std::string_view name;
    int status;
    bool retryable;
};

// In the order of the enum.
// clang-format off
constexpr std::array<Row, kApiCodeCount> kRows{{
    {"BadRequest", 400, false},
    {"Unauthorized", 401, false},
    {"Forbidden", 403, false},
    {"NotFound", 404, false},
    {"RequestTimeout", 408, true},
    {"Conflict", 409, false},
    {"SegmentTooLarge", 413, false},
    {"UnsupportedMediaType", 415, false},
    {"Internal", 500, true},
    {"BadSegment", 422, false},
    {"QuotaExceeded", 429, true},
    {"ShuttingDown", 503, true},
    {"StorageUnavailable", 503, true},
    {"StakeInactive", 503, true},
    {"NoTranscoders", 503, true},
    {"NoCompatibleTranscoders", 503, true},
    {"OrchestratorCapped", 503, true},
    {"OrchestratorBusy", 503, true},
    {"TranscodeFailed", 503, true},
    {"DeadlineExceeded", 504, true},
    {"MethodNotAllowed", 405, false},
    {"RangeNotSatisfiable", 416, false},
    {"AuthUnavailable", 503, true},
}};
// clang-format on

const Row& row(ApiCode code) {
    const auto index = static_cast<std::size_t>(code);
    MR_CHECK(index < kRows.size(), "an ApiCode outside its enum");
    return kRows[index];
}

}  // namespace

std::string_view name(ApiCode code) {
    return row(code).name;
}

int http_status(ApiCode code) {
    return row(code).status;
}

bool retryable(ApiCode code) {
    return row(code).retryable;
}

}  // namespace millrace
