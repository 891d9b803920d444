#pragma once
// The text of HLS playlists (RFC 8216) for what a StreamPlaylist lists.
//
// URLs are relative: /stream/{stream}.m3u8 names {stream}/{rendition}.m3u8, which names
// {rendition}/{segment}.ts, or {rendition}/{segment}.m4s and {rendition}/{init}.mp4 (rendition_part.h).
// Thread: any; pure.

#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "orchestrator/front/playlist.h"

namespace millrace::orchestrator {

// Nothing while nothing is listed.
[[nodiscard]] std::optional<std::string> master_playlist(const StreamName& stream,
                                                         const StreamPlaylist& playlist);
// Nothing for a rendition that no listed segment has.
[[nodiscard]] std::optional<std::string> media_playlist(const StreamPlaylist& playlist,
                                                        std::string_view rendition,
                                                        bool all_listed);

// "2026-11-22T16:37:05.123Z" (EXT-X-PROGRAM-DATE-TIME), of a time since the Unix epoch.
[[nodiscard]] std::string date_time(Duration since_epoch);

}  // namespace millrace::orchestrator
