#pragma once
// FFmpeg 5.1 takes the first five bytes of every ID3 packet of an MPEG-TS for the header of a
// metadata access unit and drops them. HLS has no such header: what is dropped is "ID3" and the
// version. This puts them back.
//
// Thread: any; pure functions. No libav.

#include <cstdint>
#include <span>
#include <vector>

namespace millrace::media {

// The tag whose first five bytes may be missing. The version is that whose rules the frames of the
// tag follow (ID3v2.4 writes sizes with 7 bits to the byte, ID3v2.3 with 8), 2.4 where both fit.
[[nodiscard]] std::vector<std::uint8_t> whole_id3(std::span<const std::uint8_t> packet);

}  // namespace millrace::media
