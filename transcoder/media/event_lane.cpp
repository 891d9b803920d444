#include "transcoder/media/event_lane.h"

#include <algorithm>

#include "common/base/check.h"

namespace millrace::media {

void EventLane::begins(const AVPacket& packet) {
    if (!zero_ && packet.pts != AV_NOPTS_VALUE)
        zero_ = packet.pts;
}

std::optional<DataKind> EventLane::next(AVPacket& packet) {
    std::ranges::move(reader_.take(), std::back_inserter(waiting_));
    if (waiting_.empty() || (waiting_.front().relative && !zero_))
        return std::nullopt;
    const Mp4EventReader::Event event = std::move(waiting_.front());
    waiting_.pop_front();
    const int rc = av_new_packet(&packet, static_cast<int>(event.bytes.size()));
    MR_CHECK(rc == 0, "out of memory");
    std::ranges::copy(event.bytes, packet.data);
    packet.pts = event.relative ? *zero_ + event.at : event.at;
    packet.duration = event.duration.value_or(0);
    return event.kind;
}

}  // namespace millrace::media
