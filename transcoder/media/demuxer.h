#pragma once
// Takes a segment apart: one video stream, one audio stream, packets in ticks on one timeline.
//
// The container is chosen by content and only MPEG-TS, MP4 and Matroska are ever opened, with the
// decoders of a short list. References to other files and addresses are refused.
//
// Where the video of an MPEG-TS changes its codec or its PID in mid-segment (ts_parts.h) it is the
// same lane that goes on: its first packet says of what stream. Sound and data go on as they were.
//
// Thread: open() and the accessors: the caller's; after that read() may move to one other thread,
// while the accessors of what open() found stay valid for all.

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "transcoder/media/av.h"
#include "transcoder/media/event_lane.h"
#include "transcoder/media/input_bytes.h"
#include "transcoder/media/stream_choice.h"
#include "transcoder/media/timeline.h"
#include "transcoder/media/ts_parts.h"

namespace millrace::media {

enum class Lane : std::uint8_t { video = 0, audio = 1, data = 2 };

class Demuxer {
public:
    // `looking`: called on this thread, often, while it is being found out what is in the segment.
    [[nodiscard]] static Result<std::unique_ptr<Demuxer>> open(
        ByteSource& source, const Limits& limits, const CancelToken& cancel,
        std::function<void()> looking = nullptr);

    [[nodiscard]] Container container() const { return container_; }
    // Null when the segment has none that we can read.
    [[nodiscard]] const VideoStream* video() const { return video_ ? &*video_ : nullptr; }
    [[nodiscard]] const AudioStream* audio() const { return audio_ ? &*audio_ : nullptr; }
    // In the order of the programme map; of an MP4 those that event messages may make up.
    [[nodiscard]] const std::vector<DataStream>& data() const { return data_; }
    // A stream that was there but cannot be read: "MPEG-4 part 2 video stream"; empty = none.
    [[nodiscard]] const std::string& foreign() const { return foreign_; }

    struct Packet {
        av::PacketPtr data;  // null at the end; times in ticks
        Lane lane = Lane::video;
        std::size_t data_stream = 0;  // index into data(), on its lane
    };
    [[nodiscard]] Result<Packet> read();

    // True after the end: what the reader noticed on the way.
    struct Notes {
        int damaged_packets = 0;
        int jumps = 0;            // of the clock
        bool cut_inside = false;  // ended inside a transport packet
        std::uint64_t bytes = 0;
        std::vector<std::string> left_out;  // streams that no rendition carries
        int events_left_out = 0;            // event messages that no rendition carries
    };
    [[nodiscard]] Notes notes() const;

private:
    Demuxer(ByteSource& source, const Limits& limits, const CancelToken& cancel);

    [[nodiscard]] Result<void> open_container();
    [[nodiscard]] Result<void> find_streams();
    void choose_streams();
    [[nodiscard]] Result<bool> begin_next_part();
    void follow_streams();
    void take_video(const AVStream& stream);
    void take_audio(const AVStream& stream);
    [[nodiscard]] bool take_data(const AVStream& stream);
    [[nodiscard]] bool claim(Packet& packet);
    void watch_for_events();
    [[nodiscard]] bool next_event(Packet& packet);
    [[nodiscard]] Error cannot_open(int rc) const;
    [[nodiscard]] Result<void> check_read(int rc) const;
    void put_on_timeline(AVPacket& packet, Lane lane, AVRational base);

    static int on_interrupt(void* self);

    Limits limits_;
    CancelToken cancel_;
    std::function<void()> looking_;  // empty once it is open
    TsParts parts_;
    std::uint64_t received_before_ = 0;  // in earlier parts
    std::optional<InputBytes> bytes_;
    av::InputPtr format_;
    Container container_ = Container::unknown;
    std::optional<VideoStream> video_;
    std::optional<AudioStream> audio_;
    std::vector<DataStream> data_;
    std::vector<int> data_index_;      // of the streams, as data_
    std::optional<EventLane> events_;  // of an MP4
    std::string foreign_;
    std::vector<std::string> left_out_;
    std::array<int, 2> index_{-1, -1};         // of the streams, by lane
    std::unique_ptr<VideoStream> next_video_;  // begins with the next packet of its lane
    std::optional<Timeline> timeline_;
    int damaged_ = 0;
};

}  // namespace millrace::media
