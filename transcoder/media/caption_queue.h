#pragma once
// Closed captions (CEA-608 and CEA-708, carried as the cc_data of ATSC A/53) on their way from the
// pictures of a source to the fewer or more pictures of a rendition.
//
// Promises: every valid pair comes out once, in order within its kind; no picture gets more than its
// share of the 9600 bit/s of CEA-708 (600 pairs per second, at most 31 a picture); line-21 pairs
// stand before the others, as CEA-708 demands. Padding is not carried but made anew, and only where
// the source was padded.
//
// Thread: its owner's. Pure; no libav.

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "common/domain/rendition.h"

namespace millrace::media {

class CaptionQueue {
public:
    // A pair of caption bytes with its marker, validity and type in front.
    static constexpr std::size_t kPairBytes = 3;
    static constexpr std::size_t kPairsMax = 31;  // cc_count has five bits
    static constexpr std::size_t kPairsPerSecond = 600;
    static constexpr std::size_t kWaitingMax = 4096;  // pairs; a stream at its rate for 7 s

    // `rate`: of the rendition, above 0.
    explicit CaptionQueue(Rational rate);

    // What one picture of the source carries.
    void add(std::span<const std::uint8_t> cc_data);
    // What the next picture of the rendition carries; the last one takes all that fits.
    [[nodiscard]] std::vector<std::uint8_t> take(bool last = false);
    // Valid pairs that found no place so far.
    [[nodiscard]] std::size_t waiting() const { return line21_.size() + packets_.size() + lost_; }

private:
    using Pair = std::array<std::uint8_t, kPairBytes>;

    std::size_t share_;
    bool padded_ = false;       // the source fills its pictures up
    std::deque<Pair> line21_;   // types 0 and 1
    std::deque<Pair> packets_;  // types 2 and 3
    std::size_t lost_ = 0;
};

}  // namespace millrace::media
