#pragma once
// Gives every decoded frame a time, strictly after the frame before: frames without a timestamp
// follow at the frame distance, frames that repeat a time or step back are moved just behind. Then
// says how long the last frame lasts, which is where the segment ends and the next one begins.
//
// Matroska counts in milliseconds and FFmpeg rounds its durations down: the last time and the last
// duration end up to 1 ms before the next segment starts, and frames sampled in between belonged to
// none. Where all times are those of a constant rate, rounded, all of them together say where it ends.
//
// Thread: its owner's. Pure arithmetic; no libav.

#include <optional>
#include <vector>

#include "common/domain/rendition.h"
#include "transcoder/media/grid.h"
#include "transcoder/media/ticks.h"

namespace millrace::media {

class VideoClock {
public:
    // `rate`: the nominal rate, {0, 1} unknown. `trust_durations`: the container stores a duration
    // for each frame (MP4); MPEG-TS does not, and what FFmpeg guesses from the bitstream is half or
    // twice the truth for some encoders, so there the distance between frames decides.
    // `rounded`: times may be whole milliseconds.
    VideoClock(Rational rate, bool trust_durations, bool rounded = false);

    // Time of the next frame in output order. `duration` in ticks, 0 = unknown.
    [[nodiscard]] Ticks place(std::optional<Ticks> pts, Ticks duration);

    [[nodiscard]] std::optional<Ticks> first() const { return first_; }
    // End of the last frame; first() when there is no frame is a breach of contract.
    [[nodiscard]] Ticks end() const;
    [[nodiscard]] int repaired() const { return repaired_; }

private:
    [[nodiscard]] Ticks step() const;
    void note_rounding();
    [[nodiscard]] std::optional<Ticks> end_of_rounded() const;

    Ticks nominal_;
    bool trust_durations_;
    std::optional<Ticks> first_;
    Ticks last_ = 0;
    Ticks last_duration_ = 0;
    std::vector<Ticks> steps_;  // distances between frames, at most kStepsMax
    int repaired_ = 0;
    // The even times, counted from the first, that all of those so far may be, rounded: how many, and how far off at least
    // and at most.
    std::optional<FrameGrid> rounded_;
    std::int64_t frames_ = 0;
    Ticks off_least_ = 0;
    Ticks off_most_ = 0;
};

}  // namespace millrace::media
