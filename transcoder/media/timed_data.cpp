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

bool TimedData::empty() const {
    return items_.empty() && std::ranges::none_of(streams_, &DataStream::announced);
}

bool TimedData::carries(std::size_t stream) const {
    return streams_[stream].announced || std::ranges::count(items_, stream, &DataItem::stream) > 0;
}

void TimedData::add(const AVPacket& packet, std::size_t stream, std::optional<Ticks> position) {
    const auto size = static_cast<std::size_t>(std::max(packet.size, 0));
    const DataKind kind = streams_[stream].kind;
    const bool too_long = kind == DataKind::id3 && size > kId3BytesMax;
    if (size == 0 || too_long || items_.size() >= kItemsMax || bytes_ + size > kBytesMax) {
        dropped_ += size == 0 ? 0 : 1;
        return;
    }
    bytes_ += size;
    const Ticks at = packet.pts != AV_NOPTS_VALUE ? packet.pts : position.value_or(0);
    const std::span<const std::uint8_t> bytes{packet.data, size};
    items_.push_back({stream, at, position,
                      kind == DataKind::id3 ? whole_id3(bytes)
                                            : std::vector<std::uint8_t>(bytes.begin(), bytes.end()),
                      !streams_[stream].announced, std::max<Ticks>(packet.duration, 0)});
}

// One that cannot be read, or says no time, stands where it came.
Ticks TimedData::splice_time(const DataItem& item, std::optional<Ticks> said, Ticks first) const {
    if (item.at_told)
        return item.at;
    const Ticks arrival = item.position.value_or(first);
    return said ? near(*said, arrival) : arrival;
}

std::vector<SpliceMarker> TimedData::splices(Ticks first, Ticks origin) const {
    std::vector<SpliceMarker> out;
    for (const DataItem& item : items_) {
        if (out.size() >= kSplicesMax)
            break;
        const auto splice = streams_[item.stream].kind == DataKind::scte35
                                ? parse_splice(item.bytes)
                                : std::nullopt;
        if (!splice || item.bytes.size() > kSpliceBytesMax)
            continue;
        // Cues are repeated in case one is lost.
        if (std::ranges::count(out, item.bytes, &SpliceMarker::section) > 0)
            continue;
        const Ticks duration = splice->duration > 0 ? splice->duration : item.duration;
        out.push_back({to_us(splice_time(item, splice->at, first) - origin), to_us(duration),
                       splice->event_id, splice->kind, item.bytes});
    }
    return out;
}

// A cue stands where its splice is.
Mp4Event TimedData::event_of(const DataItem& item, Ticks first, Ticks origin) const {
    Mp4Event event{streams_[item.stream].kind, item.at, std::nullopt, item.bytes};
    if (item.at_told && item.duration > 0)
        event.duration = item.duration;
    if (event.kind == DataKind::scte35) {
        const auto splice = parse_splice(item.bytes);
        event.at = splice_time(item, splice ? splice->at : std::nullopt, first);
        if (!event.duration && splice && splice->duration > 0)
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
    std::vector<DataKind> kinds;
    std::vector<std::size_t> place(streams_.size());
    for (std::size_t n = 0; n < streams_.size(); ++n) {
        place[n] = kinds.size();
        if (carries(n))
            kinds.push_back(streams_[n].kind);
    }
    std::vector<DataItem> items = items_;
    for (DataItem& item : items) {
        if (item.at_told && streams_[item.stream].kind == DataKind::scte35)
            item.bytes = splice_moved(std::move(item.bytes), item.at);
        item.stream = place[item.stream];
    }
    return add_timed_data(ts, kinds, items);
}

}  // namespace millrace::media
