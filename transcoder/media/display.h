#pragma once
// How a decoded picture is meant to be seen: its shape in square pixels, and which way up.
//
// Thread: any; pure functions.

#include "transcoder/media/demuxer.h"

namespace millrace::media {

struct Display {
    Size size;  // square pixels, turned
    av::Orientation orientation;
};

// The container's word on pixel shape and rotation, else the picture's own. Sides stay within
// `limits.picture`: pixels too wide for that make the picture lower instead.
[[nodiscard]] Display display_of(const VideoStream& stream, const AVFrame& picture,
                                 const Limits& limits);

}  // namespace millrace::media
