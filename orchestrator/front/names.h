#pragma once
// Names in upload paths: streams and segments.
//
// Thread: any; pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace millrace::orchestrator {

// [A-Za-z0-9._~+-]{1,128}, not "." or "..": safe as a path component, in a URL and in a log.
[[nodiscard]] bool valid_stream_name(std::string_view name);

// What stands behind the stream in an upload's path: 1 to 255 bytes without slashes, not "." or
// "..". Nothing is ever stored under it; what looks like a way out of a directory is refused all the
// same.
[[nodiscard]] bool valid_file_name(std::string_view name);

// 32 lower-case hex digits.
[[nodiscard]] bool valid_session_id(std::string_view id);

enum class SegmentNameProblem : std::uint8_t { unknown_extension, no_number };

// The trailing digits of the name before its extension: "idx00007.ts" -> 7. Extensions, in any case:
// .ts .mp4 .m4s .webm. no_number also when the digits do not fit 64 bits.
[[nodiscard]] std::variant<std::uint64_t, SegmentNameProblem> sequence_of(std::string_view name);

// Where a segment's number is missing: "init.mp4", "header.m4s". Fragments are put behind what comes under
// such a name.
[[nodiscard]] bool is_init_name(std::string_view name);

[[nodiscard]] bool is_playlist_name(std::string_view name);  // "*.m3u8"

}  // namespace millrace::orchestrator
