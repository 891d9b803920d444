#pragma once
// The text of HLS playlists (RFC 8216) for what a StreamPlaylist lists.
//
// URLs are relative: /stream/{stream}.m3u8 names {stream}/{rendition}.m3u8, which names
// {rendition}/{segment}.ts. Thread: any; pure.

#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "orchestrator/front/playlist.h"

namespace millrace::orchestrator {

// The broadcaster's own bytes, beside the renditions of the ladder.
inline constexpr std::string_view kSourceRendition = "source";

// Nothing while nothing is listed.
[[nodiscard]] std::optional<std::string> master_playlist(const StreamName& stream,
                                                         const StreamPlaylist& playlist);
// Nothing for a rendition that no listed segment has.
[[nodiscard]] std::optional<std::string> media_playlist(const StreamPlaylist& playlist,
                                                        std::string_view rendition,
                                                        bool all_listed);

// The bytes of one rendition of a segment; null when it has none of that name, or none that HLS can
// carry as it is.
[[nodiscard]] PayloadPtr rendition_bytes(const AnsweredSegment& segment,
                                         std::string_view rendition);

}  // namespace millrace::orchestrator
