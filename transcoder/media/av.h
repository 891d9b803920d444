#pragma once
// The only file that includes FFmpeg: its types under RAII, its errors as ours.
//
// Private to transcoder/media: nothing declared here may appear in transcode.h or devices.h.
// Thread: any.

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavcodec/defs.h>
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/display.h>
#include <libavutil/hwcontext.h>
#include <libavutil/imgutils.h>
#include <libavutil/mastering_display_metadata.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>
}

#include <cstdint>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/result.h"
#include "common/domain/rendition.h"
#include "transcoder/media/ticks.h"

namespace millrace::media::av {

// Deleters for FFmpeg's two habits: f(&p) and f(p). Nothing is stored beside the pointer.
template <auto f>
struct FreeByAddress {
    template <class T>
    void operator()(T* p) const noexcept {
        f(&p);
    }
};
template <auto f>
struct Free {
    template <class T>
    void operator()(T* p) const noexcept {
        f(p);
    }
};

using FramePtr = std::unique_ptr<AVFrame, FreeByAddress<av_frame_free>>;
using PacketPtr = std::unique_ptr<AVPacket, FreeByAddress<av_packet_free>>;
using CodecPtr = std::unique_ptr<AVCodecContext, FreeByAddress<avcodec_free_context>>;
using ResamplerPtr = std::unique_ptr<SwrContext, FreeByAddress<swr_free>>;
using FilterPtr = std::unique_ptr<AVBSFContext, FreeByAddress<av_bsf_free>>;
using InputPtr = std::unique_ptr<AVFormatContext, FreeByAddress<avformat_close_input>>;
using OutputPtr = std::unique_ptr<AVFormatContext, Free<avformat_free_context>>;
using ScalerPtr = std::unique_ptr<SwsContext, Free<sws_freeContext>>;
using BufferPtr = std::unique_ptr<AVBufferRef, FreeByAddress<av_buffer_unref>>;
using GraphPtr = std::unique_ptr<AVFilterGraph, FreeByAddress<avfilter_graph_free>>;
using ParametersPtr = std::unique_ptr<AVCodecParameters, FreeByAddress<avcodec_parameters_free>>;

inline constexpr AVRational kTickBase{1, static_cast<int>(kTicksPerSecond)};

// Allocation failures of a few hundred bytes end the process: nothing sensible can follow them.
[[nodiscard]] FramePtr make_frame();
[[nodiscard]] PacketPtr make_packet();
// Another reference to the same picture.
[[nodiscard]] FramePtr share(const AVFrame& frame);
// What is known of a picture (size, format, colours, side data) and none of its memory.
[[nodiscard]] FramePtr without_pixels(const AVFrame& frame);

// "avcodec_send_packet: Invalid data found when processing input". Memory that was not to be had is
// overloaded, whatever `kind` says.
[[nodiscard]] Error error(ErrorKind kind, std::string_view operation, int rc,
                          std::source_location where = std::source_location::current());
[[nodiscard]] std::string words(int rc);

// FFmpeg prints to stderr unless told otherwise; what matters comes back as results and counts.
// Once per process; MILLRACE_AV_LOG=1 in the environment leaves its output on.
void set_up_logging();

// Options for a call that takes a dictionary; what the call did not consume is a bug of ours.
class Options {
public:
    Options() = default;
    ~Options() { av_dict_free(&dict_); }
    Options(const Options&) = delete;
    Options& operator=(const Options&) = delete;

    Options& set(const char* key, const std::string& value);
    Options& set(const char* key, std::int64_t value);
    [[nodiscard]] AVDictionary** address() { return &dict_; }
    // Name of an option nobody took, or empty.
    [[nodiscard]] std::string left_over() const;

private:
    AVDictionary* dict_ = nullptr;
};

[[nodiscard]] VideoCodec video_codec(AVCodecID id);
[[nodiscard]] AudioCodec audio_codec(AVCodecID id);
[[nodiscard]] std::string codec_name(AVCodecID id);
[[nodiscard]] Rational rational(AVRational value);
// cc_data of ATSC A/53 that rides on a picture; and put in its place, empty = none.
[[nodiscard]] std::span<const std::uint8_t> captions_of(const AVFrame& picture);
void set_captions(AVFrame& picture, std::span<const std::uint8_t> cc_data);

// How a decoded picture has to be put to be seen as it was meant.
struct Orientation {
    int turn = 0;           // clockwise degrees: 0, 90, 180, 270
    bool mirrored = false;  // left and right change places after turning

    [[nodiscard]] bool upright() const { return turn == 0 && !mirrored; }
    [[nodiscard]] bool swaps_sides() const { return turn == 90 || turn == 270; }
    bool operator==(const Orientation&) const = default;
};
// What a display matrix asks of a player, to the nearest quarter; upright for nonsense.
[[nodiscard]] Orientation orientation_of(std::span<const std::uint8_t> display_matrix);

enum class Pull : std::uint8_t { ready, needs_input, drained };

}  // namespace millrace::media::av
