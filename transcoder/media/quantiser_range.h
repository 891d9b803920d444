#pragma once
// The quantisers that libvpx and libaom may use in a segment of a constant bitrate, narrowed by what the segments before
// have shown.
//
// Their own bitrate mode starts cold with every segment: it takes the middle of all quantisers for what the source
// needs and finds out in a second or two. Of a calm source it leaves a sixth of the bitrate unspent meanwhile and begins
// 4 dB worse than it ends; of a hard one it asks 1.6 times the buffer's size for the first picture (measured on bbb
// and on noise). A range moves that middle. FFmpeg 5.1 can change none of it under way.
//
// Model: a range of kWidth quantisers, of which one number, the level, is the coarsest. Beyond what there is, the range
// shrinks from below. What the decoder's buffer holds at a segment's end says whether the level was too high or too low
// for this source; the next segment is told (RateMemory::rate_factor_milli). The width is what a hard cut and a still
// picture may differ by in one segment: with none a segment has one quality and bits to spare, with 44 the end of a calm
// segment is 5 dB better than anybody sees and the next cannot begin like it (measured on bbb at 240p and 360p).
//
// Thread: any; a value. Pure arithmetic; no libav.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "common/domain/rendition.h"

namespace millrace::media {

// The rendition's encoder on the CPU gets a range, and its segments may have to be made again.
[[nodiscard]] inline bool has_range(const RenditionSpec& spec) {
    return (spec.codec == VideoCodec::vp9 || spec.codec == VideoCodec::av1) && spec.bitrate > 0 &&
           spec.quality <= 0;
}

// Of pictures that are kept for it: 3.7 s of 720p at 25/s, 15 s of 360p. What comes later is not tried.
inline constexpr std::size_t kTrialBytesMax = 128 * 1024 * 1024;

class QuantiserRange {
public:
    static constexpr int kCoarsest = 63;  // both libraries count from 0
    static constexpr int kWidth = 30;
    static constexpr int kLeast = 20;  // levels
    static constexpr int kFirst = 44;
    static constexpr int kMost = kCoarsest + kWidth;

    // `before_milli`: what after() of the segment before said; 0 or less: nobody said anything.
    explicit QuantiserRange(std::int32_t before_milli)
        : told_(before_milli > 0 ? std::clamp(before_milli / 1000, kLeast, kMost) : kFirst),
          level_(told_) {}

    [[nodiscard]] int coarsest() const { return std::min(level_, kCoarsest); }
    [[nodiscard]] int finest() const { return std::max(0, level_ - kWidth); }

    // The segment ran the buffer empty and is begun again: a little coarser, then much.
    void coarsen() {
        level_ = std::min(level_ + coarser_by_, kMost);
        coarser_by_ *= 2;
    }
    [[nodiscard]] bool can_coarsen() const { return level_ < kMost; }

    // For the next segment, in thousandths. `fullness`: of the buffer, 0..1.
    [[nodiscard]] std::int32_t after(double fullness) const {
        int next = level_;
        if (level_ != told_)
            next = std::min(level_, told_ + kAfterCut);  // it may have been one hard cut
        else if (fullness > kFull)
            next -= kDown;
        else if (fullness < kScarce)
            next += kUp;
        return std::clamp(next, kLeast, kMost) * 1000;
    }

private:
    static constexpr double kFull = 0.8;
    static constexpr double kScarce = 0.6;
    static constexpr int kDown = 4;
    static constexpr int kUp = 6;
    static constexpr int kAfterCut = 12;

    int told_;
    int level_;
    int coarser_by_ = 8;
};

}  // namespace millrace::media
