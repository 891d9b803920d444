#pragma once
// The event messages of an MP4 as packets of the demuxer's data lane.
//
// A message that counts from the segment's first picture waits for it. Packets carry the time of
// presentation, the duration (0 = not known) and the bytes of the tag or the cue.
//
// Thread: the demuxer's.

#include <deque>

#include "transcoder/media/av.h"
#include "transcoder/media/mp4_event_reader.h"

namespace millrace::media {

class EventLane {
public:
    void feed(std::span<const std::uint8_t> bytes) { reader_.feed(bytes); }
    // The first packet of the lane whose beginning is the segment's; more are ignored.
    void begins(const AVPacket& packet);

    // The next one goes into `packet`, which is empty; its kind, or nothing while none can be had.
    [[nodiscard]] std::optional<DataKind> next(AVPacket& packet);
    [[nodiscard]] int left_out() const { return reader_.left_out(); }

private:
    Mp4EventReader reader_;
    std::deque<Mp4EventReader::Event> waiting_;
    std::optional<Ticks> zero_;
};

}  // namespace millrace::media
