#pragma once
// RFC 6381 codec names, as HLS playlists carry them in CODECS.
//
// Thread: any; pure functions.

#include <span>
#include <string>

#include "transcoder/media/av.h"

namespace millrace::media {

// From a stream's parameters; empty when they do not say enough.
[[nodiscard]] std::string codec_string(const AVCodecParameters& parameters);
// "avc1.PPCCLL" or "hvc1.…" from the first sequence parameter set of an Annex B packet; empty
// without one, and for other codecs.
[[nodiscard]] std::string annex_b_string(AVCodecID codec, std::span<const std::uint8_t> annex_b);
// Of the video track of an MP4 init part, from its avcC, hvcC, vpcC or av1C box; empty without.
[[nodiscard]] std::string init_string(std::span<const std::uint8_t> init);
// "a,b" of the two that are not empty.
[[nodiscard]] std::string join_codecs(const std::string& video, const std::string& audio);

}  // namespace millrace::media
