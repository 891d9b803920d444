#pragma once
// Timestamps of an MPEG-TS source put on one continuous line: the 33-bit wrap undone, and jumps of
// the clock inside a segment (two recordings glued together) closed, for all streams alike.
//
// Promises: a stream without jumps keeps its times exactly (modulo 2^33). After a jump, time goes
// on from the latest time seen, and streams that still carry the old clock keep it until they jump
// too. A decoding time more than 9 s from the time of showing is none: where FFmpeg cannot
// tell one (a lone picture of a stream that may be reordered) it counts from 0. Other containers
// need none of this and are passed through.
//
// Thread: its owner's. Pure arithmetic; no libav.

#include <array>
#include <optional>

#include "transcoder/media/ticks.h"

namespace millrace::media {

class Timeline {
public:
    // A step larger than this between two packets of a stream is a jump of the clock.
    static constexpr Ticks kJump = 10 * kTicksPerSecond;

    explicit Timeline(bool wraps) : wraps_(wraps) {}

    struct Times {
        std::optional<Ticks> pts;
        std::optional<Ticks> dts;
        bool operator==(const Times&) const = default;
    };
    // `lane`: 0 or 1, one for each stream that is followed. `duration`: of the packet, 0 unknown.
    [[nodiscard]] Times place(std::size_t lane, Times raw, Ticks duration);

    // Where a time of the same clock lies that belongs to neither lane; moves nothing.
    [[nodiscard]] Ticks beside(Ticks raw) const;

    [[nodiscard]] int jumps() const { return jumps_; }

private:
    [[nodiscard]] Ticks place_anchor(std::size_t lane, Ticks raw);

    bool wraps_;
    Ticks offset_ = 0;
    Ticks previous_offset_ = 0;
    std::array<std::optional<Ticks>, 2> last_{};
    std::optional<Ticks> latest_;  // end of the latest packet of any stream
    int jumps_ = 0;
};

}  // namespace millrace::media
