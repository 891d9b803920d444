#pragma once
// Timed data spliced into a finished MPEG-TS: ID3 as PES packets (Apple's "Timed Metadata for HTTP
// Live Streaming"), SCTE 35 as the sections that came in. FFmpeg 5.1's muxer wraps cues into PES
// packets of private data, where no receiver looks for them.
//
// Promises: programme map entries in every map, the CUEI registration, continuity counters from a
// discontinuity mark on, and not a byte of the other streams changed.
//
// Thread: any; pure functions. No libav.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "transcoder/media/ticks.h"

namespace millrace::media {

enum class DataKind : std::uint8_t { id3, scte35 };

struct DataItem {
    std::size_t stream = 0;
    Ticks at = 0;  // ID3: time of presentation
    // Goes before the first picture that is decoded at this time or later; none: before all.
    std::optional<Ticks> position;
    std::vector<std::uint8_t> bytes;
    // A cue from an event message: its splice is when the message said (`at`), for so long (0 = not
    // known), whatever clock the cue itself counts on.
    bool at_told = false;
    Ticks duration = 0;
};

// The stream with all items, which must be in order of position. Streams get the PIDs 0x1f0 and up
// in their order. bad_input for a stream that is not one programme in whole packets with a map of
// one packet that has room.
[[nodiscard]] Result<std::vector<std::uint8_t>> add_timed_data(std::span<const std::uint8_t> ts,
                                                               const std::vector<DataKind>& streams,
                                                               const std::vector<DataItem>& items);

// CRC of MPEG-2 sections (ISO 13818-1, annex A): polynomial 0x04c11db7, all ones at the start.
[[nodiscard]] std::uint32_t section_crc(std::span<const std::uint8_t> bytes);

// Largest ID3 tag that a PES packet of known length takes.
inline constexpr std::size_t kId3BytesMax = 65'000;

}  // namespace millrace::media
