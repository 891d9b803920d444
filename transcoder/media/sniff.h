#pragma once
// What the first bytes of a segment are, without FFmpeg: enough to choose the demuxer and to tell a
// broadcaster what was found instead.
//
// Thread: any; pure functions.

#include <cstdint>
#include <span>
#include <string>

#include "common/domain/rendition.h"

namespace millrace::media {

// MPEG-TS by its packet grid (188, 192 or 204 bytes), MP4 by its first box, Matroska and WebM by
// the EBML header. Junk of up to one kibibyte before the first TS packet is skipped. `unknown` for
// all else.
[[nodiscard]] Container sniff(std::span<const std::uint8_t> head);

// A few words about bytes that are none of these: "nothing at all", "an HTML or XML text", ...
[[nodiscard]] std::string describe(std::span<const std::uint8_t> head);

// The boxes at the top level of an MP4, as far as the bytes go.
struct TopBoxes {
    bool moov = false;
    bool moof = false;
    bool mdat = false;
};
[[nodiscard]] TopBoxes top_boxes(std::span<const std::uint8_t> bytes);

}  // namespace millrace::media
