#pragma once
// The limits of one segment (common/domain/segment_limits.h), as checks whose errors a broadcaster
// understands. All of them bad_input, but for a ladder that this version cannot do: unsupported.
//
// Thread: any; pure functions.

#include "transcoder/media/av.h"
#include "transcoder/media/transcode.h"

namespace millrace::media {

[[nodiscard]] Result<void> check_ladder(const TranscodeRequest& request);

[[nodiscard]] Result<void> check_picture(Size size, const Limits& limits);
[[nodiscard]] Result<void> check_frames(std::int64_t frames, const Limits& limits);
[[nodiscard]] Result<void> check_length(Ticks length, const Limits& limits);

// "1280x720".
[[nodiscard]] std::string text(Size size);

}  // namespace millrace::media
