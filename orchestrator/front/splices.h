#pragma once
// Splices (SCTE-35) of a stream as EXT-X-DATERANGE sees them (RFC 8216, section 4.3.2.7.1): what was announced,
// under an id that the way back shares with the way out, in wall time.
//
// Thread: its owner's. Owner: StreamPlaylist. Bounded: kOpenSplicesMax ways out whose way back is awaited.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "orchestrator/front/answered_segment.h"

namespace millrace::orchestrator {

inline constexpr std::size_t kOpenSplicesMax = 16;

struct DateRange {
    std::string id;
    Duration start{0};            // since the Unix epoch
    std::optional<Duration> end;  // of a way back
    Duration planned{0};          // 0 = not known
    SpliceKind kind = SpliceKind::command;
    std::vector<std::uint8_t> section;  // splice_info_section
};

class SpliceBook {
public:
    // What the segment announces; it starts at `start` (since the Unix epoch). Announcements that were made
    // before are left out: SCTE-35 repeats them.
    [[nodiscard]] std::vector<DateRange> read(const AnsweredSegment& segment, Duration start,
                                              std::uint64_t media_sequence);

private:
    struct Open {
        std::uint32_t event_id = 0;
        std::int64_t start_us = 0;  // source clock
        std::string id;
        Duration start{0};
    };

    [[nodiscard]] Open* find(std::uint32_t event_id);

    std::deque<Open> open_;
};

// How much later `to_us` is than `from_us` on a source's clock; MPEG-TS clocks start again after 2^33 / 90000 s.
[[nodiscard]] std::int64_t clock_distance_us(Container container, std::int64_t from_us,
                                             std::int64_t to_us);

}  // namespace millrace::orchestrator
