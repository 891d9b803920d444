#pragma once
// SCTE 35 splice_info_sections: what they announce, and when.
//
// Thread: any; pure functions. No libav.

#include <optional>
#include <span>
#include <vector>

#include "common/domain/segment.h"
#include "transcoder/media/ticks.h"

namespace millrace::media {

struct Splice {
    SpliceKind kind = SpliceKind::command;
    std::uint32_t event_id = 0;
    std::optional<Ticks> at;  // 33 bits, pts_adjustment applied; none = at once, or not said
    Ticks duration = 0;       // 0 = not said
};

// Nothing when the bytes are not a whole section. An encrypted command, one that is cancelled, and
// those that announce neither a way out nor a way back are of kind `command`.
[[nodiscard]] std::optional<Splice> parse_splice(std::span<const std::uint8_t> section);

// The same section with its splice at `at`, by its pts_adjustment. Unchanged when it says no time, cannot be
// read or is encrypted.
[[nodiscard]] std::vector<std::uint8_t> splice_moved(std::vector<std::uint8_t> section, Ticks at);

}  // namespace millrace::media
