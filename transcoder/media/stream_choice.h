#pragma once
// What the streams of a container are, and which of them a segment is made of.
//
// Thread: any; pure functions.

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "transcoder/media/av.h"
#include "transcoder/media/grid.h"
#include "transcoder/media/ts_data.h"

namespace millrace::media {

struct VideoStream {
    av::ParametersPtr parameters;
    NominalRate rate;
    AVRational sample_aspect{0, 1};              // of the container; 0/1 = ask the picture
    std::optional<av::Orientation> orientation;  // of the container; none = ask the picture
    std::string label;                           // "H.264 video stream (PID 256)"
};

struct AudioStream {
    av::ParametersPtr parameters;
    std::string label;
};

// Timed data that renditions can carry.
struct DataStream {
    DataKind kind = DataKind::id3;
    std::string label;
    // It is there in every segment of its source. Event messages of an MP4 are announced nowhere.
    bool announced = true;
};

// "H.264 video stream (PID 256)".
[[nodiscard]] std::string label_of(const AVStream& stream, Container container);

// Of timed data that renditions can carry.
[[nodiscard]] std::optional<DataKind> data_kind(const AVStream& stream);

// The video and the audio stream that FFmpeg's command line would take; null where there is none
// that we can read. Sets `foreign` to the label of one that we cannot, and discards all streams.
using BestStreams = std::array<const AVStream*, 2>;
[[nodiscard]] BestStreams best_streams(const AVFormatContext& format, Container container,
                                       std::string& foreign);

[[nodiscard]] av::ParametersPtr copy_of(const AVCodecParameters& parameters);
[[nodiscard]] VideoStream video_of(const AVStream& stream, Container container);

// Says in a packet that another stream begins with it, in mid-segment.
void mark(AVPacket& packet, std::unique_ptr<VideoStream> stream);
// That stream; null: the one before goes on.
[[nodiscard]] const VideoStream* begins(const AVPacket& packet);

}  // namespace millrace::media
