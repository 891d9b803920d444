#pragma once
// Why a request is refused, in the words broadcasters see (contract.md, section 4): the core
// decides with these values, the HTTP front prints them. One table says what each means.
//
// Thread: any; values.

#include <cstdint>
#include <string_view>

namespace millrace {

enum class ApiCode : std::uint8_t {
    bad_request,
    unauthorized,
    forbidden,
    not_found,
    request_timeout,
    conflict,
    segment_too_large,
    unsupported_media_type,
    internal,
    bad_segment,
    quota_exceeded,
    shutting_down,
    storage_unavailable,
    stake_inactive,
    no_transcoders,
    no_compatible_transcoders,
    orchestrator_capped,
    orchestrator_busy,
    transcode_failed,
    deadline_exceeded,
    method_not_allowed,
    range_not_satisfiable,
    auth_unavailable,
};
inline constexpr int kApiCodeCount = 23;

// The `code` of the contract, e.g. "OrchestratorBusy".
[[nodiscard]] std::string_view name(ApiCode code);
// HTTP status, 400..599.
[[nodiscard]] int http_status(ApiCode code);
// True when the same request may succeed later without being changed.
[[nodiscard]] bool retryable(ApiCode code);

}  // namespace millrace
