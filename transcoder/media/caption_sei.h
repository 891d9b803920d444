#pragma once
// Captions written into HEVC packets, which FFmpeg 5.1 does for H.264 only: a prefix SEI message
// with user data registered by ITU-T T.35 (H.265, D.2.6), laid out as ATSC A/53 part 4, 6.2.
//
// Thread: any; pure functions.

#include <cstdint>
#include <span>
#include <vector>

namespace millrace::media {

// The NAL unit with its start code, emulation prevented. At most 31 pairs of `cc_data` are taken.
[[nodiscard]] std::vector<std::uint8_t> hevc_caption_sei(std::span<const std::uint8_t> cc_data);

// Where in an Annex B access unit it goes: before the first coded slice.
[[nodiscard]] std::size_t first_hevc_slice(std::span<const std::uint8_t> annex_b);

}  // namespace millrace::media
