#pragma once
// What a decoder must know before the first picture: where it stands in a file, and a fingerprint
// that tells whether two segments of a rendition join without telling the player anew.
//
// Thread: any; pure functions.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "transcoder/media/av.h"

namespace millrace::media {

// Length of an MP4's init part: everything before its first fragment. All of it without one.
[[nodiscard]] std::size_t init_part(std::span<const std::uint8_t> mp4);

// Payload of the first box of that name ("avcC"), searched by name; empty without one. Meant for
// init parts that we wrote ourselves.
[[nodiscard]] std::span<const std::uint8_t> box(std::span<const std::uint8_t> init,
                                                std::string_view name);

// The NAL units of an Annex B stream without their start codes.
[[nodiscard]] std::vector<std::span<const std::uint8_t>> nal_units(
    std::span<const std::uint8_t> annex_b);

// The video, sequence and picture parameter sets of an H.264 or HEVC packet, joined; empty for
// others.
[[nodiscard]] std::vector<std::uint8_t> parameter_sets(AVCodecID codec,
                                                       std::span<const std::uint8_t> annex_b);

// Fingerprint of what an MPEG-TS segment tells its player: the video's parameter sets, and codec,
// rate and channels of the audio (null: none).
[[nodiscard]] Sha256 fingerprint(std::span<const std::uint8_t> video_sets,
                                 const AVCodecParameters* audio);

}  // namespace millrace::media
