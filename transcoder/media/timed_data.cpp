#include "transcoder/media/timed_data.h"

#include <algorithm>

#include "transcoder/media/id3.h"
#include "transcoder/media/splice_info.h"

namespace millrace::media {
namespace {

// The time that equals `raw` modulo 2^33 and lies nearest to `reference`.
Ticks near(Ticks raw, Ticks reference) {
    return raw - floor_div<Ticks>(raw - reference + kWrap / 2, kWrap) * kWrap;
}

}  // namespace

TimedData::TimedData(const std::vector<DataStream>& streams) {
    for (const DataStream& stream : streams)
        streams_.push_back(stream.kind);
}

void TimedData::add(const AVPacket& packet, std::size_t stream, std::optional<Ticks> position) {
    const auto size = static_cast<std::size_t>(std::max(packet.size, 0));
    const bool too_long = streams_[stream] == DataKind::id3 && size > kId3BytesMax;
    if (size == 0 || too_long || items_.size() >= kItemsMax || bytes_ + size > kBytesMax) {
        dropped_ += size == 0 ? 0 : 1;
        return;
    }
    bytes_ += size;
    const Ticks at = packet.pts != AV_NOPTS_VALUE ? packet.pts : position.value_or(0);
    const std::span<const std::uint8_t> bytes{packet.data, size};
    items_.push_back({stream, at, position,
                      streams_[stream] == DataKind::id3
                          ? whole_id3(bytes)
                          : std::vector<std::uint8_t>(bytes.begin(), bytes.end())});
}

std::vector<SpliceMarker> TimedData::splices(Ticks first, Ticks origin) const {
    std::vector<SpliceMarker> out;
    for (const DataItem& item : items_) {
        if (out.size() >= kSplicesMax)
            break;
        const auto splice =
            streams_[item.stream] == DataKind::scte35 ? parse_splice(item.bytes) : std::nullopt;
        if (!splice || item.bytes.size() > kSpliceBytesMax)
            continue;
        // Cues are repeated in case one is lost.
        if (std::ranges::count(out, item.bytes, &SpliceMarker::section) > 0)
            continue;
        const Ticks arrival = item.position.value_or(first);
        const Ticks at = splice->at ? near(*splice->at, arrival) : arrival;
        out.push_back({to_us(at - origin), to_us(splice->duration), splice->event_id, splice->kind,
                       item.bytes});
    }
    return out;
}

// A cue stands where its splice is; one that cannot be read, or says no time, where it came.
Mp4Event TimedData::event_of(const DataItem& item, Ticks first, Ticks origin) const {
    Mp4Event event{streams_[item.stream], item.at, std::nullopt, item.bytes};
    if (event.kind == DataKind::scte35) {
        const auto splice = parse_splice(item.bytes);
        const Ticks arrival = item.position.value_or(first);
        event.at = splice && splice->at ? near(*splice->at, arrival) : arrival;
        if (splice && splice->duration > 0)
            event.duration = splice->duration;
    }
    event.at = std::max<Ticks>(0, event.at - origin);
    return event;
}

std::vector<std::uint8_t> TimedData::into_mp4(std::span<const std::uint8_t> mp4,
                                              std::size_t init_bytes, Ticks first,
                                              Ticks origin) const {
    std::vector<Mp4Event> events;
    for (const DataItem& item : items_)
        events.push_back(event_of(item, first, origin));
    return add_events(mp4, init_bytes, events);
}

Result<std::vector<std::uint8_t>> TimedData::into_ts(std::span<const std::uint8_t> ts) const {
    return add_timed_data(ts, streams_, items_);
}

}  // namespace millrace::media
