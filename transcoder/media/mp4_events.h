#pragma once
// Timed data put into a finished fragmented MP4 as event messages: 'emsg' boxes of version 1 (ISO/IEC
// 23009-1, 5.10.3.3) between the init part and the fragment, where players look for them. ID3 as
// AOM's "Carriage of ID3 Timed Metadata in CMAF" has it, SCTE 35 as SCTE 214-3.
//
// Promises: not a byte of the other boxes changed. What is said twice (cues are repeated in case one is
// lost) has the same id, in whichever segment, and players take it once.
//
// Thread: any; pure functions. No libav.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "transcoder/media/ticks.h"
#include "transcoder/media/ts_data.h"

namespace millrace::media {

inline constexpr std::string_view kId3Scheme = "https://aomedia.org/emsg/ID3";
inline constexpr std::string_view kScte35Scheme = "urn:scte:scte35:2013:bin";

struct Mp4Event {
    DataKind kind = DataKind::id3;
    Ticks at = 0;                   // on the fragment's timeline; not below 0
    std::optional<Ticks> duration;  // none = not known
    std::vector<std::uint8_t> bytes;
};

// `init_bytes`: where the init part ends and the fragment begins.
[[nodiscard]] std::vector<std::uint8_t> add_events(std::span<const std::uint8_t> mp4,
                                                   std::size_t init_bytes,
                                                   const std::vector<Mp4Event>& events);

}  // namespace millrace::media
