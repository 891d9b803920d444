#pragma once
// The grids that make joins fit: which output frames and which key frames a segment owns, decided
// from its own timestamps and from time 0 of the source's clock alone. Whoever transcodes the next
// segment comes to the frame that follows.
//
// Frame grid: frame k of a rendition with rate n/d shows what the source shows at k*d/n plus an
// eighth of a frame. The eighth is slack: sources whose times are rounded (1/1000 s in WebM) lie a
// little beside the grid they were made on, and without slack one frame would be shown twice and
// the next one never. A segment owns the frames whose sampling time lies in [its first timestamp,
// its end), and its end is where the next segment starts.
//
// Thread: its owner's. Pure arithmetic; no libav.

#include <optional>

#include "common/domain/rendition.h"
#include "transcoder/media/ticks.h"

namespace millrace::media {

class FrameGrid {
public:
    // `rate` above 0; `origin` is time 0 of the source's clock, in ticks (not 0 only when a 33-bit
    // clock has been unwrapped).
    FrameGrid(Rational rate, Ticks origin);

    struct Range {
        std::int64_t first = 0;
        std::int64_t end = 0;  // one past the last; never below first
        bool operator==(const Range&) const = default;
    };
    // The frames sampled in [from, to).
    [[nodiscard]] Range sampled_in(Ticks from, Ticks to) const;
    // Where frame k stands on the source's clock, rounded to a tick.
    [[nodiscard]] Ticks time_of(std::int64_t k) const;

private:
    [[nodiscard]] std::int64_t first_sampled_at_or_after(Ticks at) const;

    Rational rate_;
    Ticks origin_;
};

// Says which frames become key frames. The first frame always does. A given GOP length puts one at
// the first frame at or after every multiple of it on the source's clock; without one, every two
// seconds counted from the start of the segment, so that segments of up to two seconds, the usual
// ones, hold exactly one.
class KeyGrid {
public:
    // `gop_ms`: milliseconds, kGopDefault or kGopIntra. `segment_start`: first timestamp.
    KeyGrid(std::int64_t gop_ms, Ticks origin, Ticks segment_start);

    // Frames must be asked in order, each once.
    [[nodiscard]] bool is_key(Ticks at);

private:
    bool intra_;
    Ticks length_;
    Ticks origin_;
    Ticks earliest_;  // frames before it count as at it
    std::optional<std::int64_t> cell_;
};

// The rate a player is told. Averages measured over a few frames wobble, and a rate that differs
// between two segments gives different parameter sets, so a measured rate within half a percent of
// one in common use is that one. {0, 1} when nothing usable is known.
struct NominalRate {
    Rational rate;          // frames per second
    bool constant = false;  // false: frames come at uneven times
    bool operator==(const NominalRate&) const = default;
};
[[nodiscard]] NominalRate nominal_rate(Rational average, Rational base);

// What the encoders of a segment are told: the rate of the session's first segment, so that
// parameter sets stay the same however little of the stream was measured, unless the source is
// clearly faster now: an encoder that was not told would overdraw the decoder's buffer. `pinned` is
// another machine's word: nonsense is no rate.
[[nodiscard]] NominalRate pinned_rate(const NominalRate& measured, const NominalRate& pinned);

}  // namespace millrace::media
