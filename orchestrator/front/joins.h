#pragma once
// Whether a segment goes on where the one before ended, so that a player needs no EXT-X-DISCONTINUITY between
// them (RFC 8216, section 4.3.2.3: format, tracks, timestamps and encoding parameters are the same).
//
// Thread: any; pure.

#include "orchestrator/front/answered_segment.h"

namespace millrace::orchestrator {

// Beyond this the source's clock has jumped: it was set anew, or the same segment came again.
inline constexpr Duration kClockJump = std::chrono::seconds(1);

// In every rendition that both have, and in the source. What a report does not tell counts as the same.
[[nodiscard]] bool joins(const AnsweredSegment& before, const AnsweredSegment& after);

}  // namespace millrace::orchestrator
