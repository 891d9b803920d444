#pragma once
// The decoder's buffer in front of a constant-rate channel (the leaky bucket of ITU-T H.264 annex
// C.1, VBV for short): fills at the channel's rate up to its size, and every picture takes its bits
// out at its decoding time. A picture that finds too few bits is a violation: playback stalls.
//
// Thread: its owner's. Pure arithmetic; no libav.

#include <cstdint>

namespace millrace::media {

class VbvBucket {
public:
    // `rate` in bit/s, above 0; `size` and `fill` in bits. The fill is what the first picture finds.
    VbvBucket(std::int64_t rate, std::int64_t size, std::int64_t fill);

    // A picture of `bits` is decoded `seconds` after the one before; ignored for the first.
    void take(std::int64_t bits, double seconds);

    // What a picture would find `seconds` after the last one, bits; never above the size, below 0
    // by what was missing.
    [[nodiscard]] double fill_after(double seconds) const;
    [[nodiscard]] std::int64_t size() const { return size_; }
    [[nodiscard]] std::int64_t violations() const { return violations_; }

private:
    std::int64_t rate_;
    std::int64_t size_;
    double fill_;  // after the last picture
    bool started_ = false;
    std::int64_t violations_ = 0;
};

}  // namespace millrace::media
