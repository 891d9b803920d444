#pragma once
// The end of a segment's sound, kept for whoever encodes the next segment's: its decoder and its
// encoder are cold otherwise, and what they need from before the first sample would be mirrored.
//
// What comes with a segment is another machine's word: it is used only where its format is the
// source's and its times lead up to the first packet, and it is decoded like the source itself.
//
// Thread: its owner's.

#include <deque>
#include <vector>

#include "common/domain/segment.h"
#include "transcoder/media/av.h"

namespace millrace::media {

// What the segment before left to this one.
struct SoundBefore {
    const SoundTail& tail;
    Ticks origin = 0;    // time 0 of the source's clock
    bool wraps = false;  // that clock has 33 bits

    // The packets that sound right before the one at `first`, in order, to be decoded before it.
    // None when they are of another format than `source` or do not lead there.
    [[nodiscard]] std::vector<av::PacketPtr> leading_to(Ticks first,
                                                        const AVCodecParameters& source) const;
};

class SoundTailKeeper {
public:
    // Every packet of the segment's sound, in order. References are taken to the last few.
    void add(const AVPacket& packet);
    // `source`: of the sound. `before`: what this segment was given itself; where it is shorter than
    // a tail, that goes on with it.
    [[nodiscard]] SoundTail tail(const AVCodecParameters& source, const SoundBefore& before) const;

private:
    std::deque<av::PacketPtr> packets_;
};

}  // namespace millrace::media
