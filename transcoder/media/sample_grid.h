#pragma once
// The audio grid: frame k of an encoded rendition is samples k*N to (k+1)*N since time 0 of the
// source's clock, whoever encodes it, so that joins neither gain nor lose a sample.
//
// A segment owns the frames whose last needed sample (the encoder looks ahead) lies in it, so that
// what it encodes is always real sound at its end; at its start it needs sound from before.
//
// Thread: any; pure arithmetic, no libav.

#include <cstdint>

namespace millrace::media {

struct SampleGrid {
    std::int32_t frame = 1024;  // samples
    std::int32_t ahead = 1024;  // samples the encoder must see beyond a frame's end

    struct Range {
        std::int64_t first = 0;
        std::int64_t end = 0;  // one past the last; never below first
        bool operator==(const Range&) const = default;
    };
    // Frames owned by sound from `start` to `end`, in samples since time 0; fractions come from
    // rounded timestamps and may differ a little on the two sides of a join.
    [[nodiscard]] Range owned(double start, double end) const;
};

}  // namespace millrace::media
