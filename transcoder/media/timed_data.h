#pragma once
// The timed data of a segment (ID3 tags, SCTE 35 cues) from its demuxer to its renditions and its
// report.
//
// Thread: its owner's.

#include "common/domain/segment.h"
#include "transcoder/media/demuxer.h"
#include "transcoder/media/mp4_events.h"
#include "transcoder/media/ts_data.h"

namespace millrace::media {

class TimedData {
public:
    // More than this in one segment is left out and counted.
    static constexpr std::size_t kItemsMax = 1024;
    static constexpr std::size_t kBytesMax = 1024 * 1024;

    explicit TimedData(std::vector<DataStream> streams) : streams_(std::move(streams)) {}

    // Nothing to put into renditions.
    [[nodiscard]] bool empty() const;
    // Renditions are to have the stream: it is announced, or something of it came.
    [[nodiscard]] bool carries(std::size_t stream) const;
    // `position`: decoding time of the last picture before it; none = before all.
    void add(const AVPacket& packet, std::size_t stream, std::optional<Ticks> position);
    // What the cues announce, each once, on the clock whose zero is `origin`.
    [[nodiscard]] std::vector<SpliceMarker> splices(Ticks first, Ticks origin) const;
    // The transport stream with the data in it.
    [[nodiscard]] Result<std::vector<std::uint8_t>> into_ts(std::span<const std::uint8_t> ts) const;
    // The fragmented MP4, whose timeline counts from `origin`, with the data in it. `first`: time of its
    // first picture.
    [[nodiscard]] std::vector<std::uint8_t> into_mp4(std::span<const std::uint8_t> mp4,
                                                     std::size_t init_bytes, Ticks first,
                                                     Ticks origin) const;
    [[nodiscard]] int dropped() const { return dropped_; }

private:
    [[nodiscard]] Mp4Event event_of(const DataItem& item, Ticks first, Ticks origin) const;

    [[nodiscard]] Ticks splice_time(const DataItem& item, std::optional<Ticks> said,
                                    Ticks first) const;

    std::vector<DataStream> streams_;
    std::vector<DataItem> items_;
    std::size_t bytes_ = 0;
    int dropped_ = 0;
};

}  // namespace millrace::media
