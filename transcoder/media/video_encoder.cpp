#include "transcoder/media/video_encoder.h"

#include <algorithm>
#include <cstring>

namespace millrace::media {
namespace {

constexpr int kDefaultCrf = 23;             // x264's own
constexpr int kKeyIntervalNever = 1 << 30;  // X264_KEYINT_MAX_INFINITE: only where we ask
constexpr Rational kRateOfUneven{30, 1};    // a hint for x264's level and start, nothing more

const char* profile_name(VideoProfile profile) {
    switch (profile) {
        case VideoProfile::baseline:
            return "baseline";
        case VideoProfile::main:
            return "main";
        case VideoProfile::high:
        case VideoProfile::constrained_high:
            return "high";
        default:
            return nullptr;
    }
}

void set_time(AVCodecContext& context, const NominalRate& rate) {
    const Rational framerate = rate.constant ? rate.rate : kRateOfUneven;
    context.framerate = {framerate.num, framerate.den};
    context.time_base = rate.constant ? AVRational{framerate.den, framerate.num} : av::kTickBase;
}

void set_colour(AVCodecContext& context, const AVFrame& like) {
    context.color_range = AVCOL_RANGE_MPEG;
    context.color_primaries = like.color_primaries;
    context.color_trc = like.color_trc;
    // Pictures that came as RGB are YUV by now.
    context.colorspace = like.colorspace == AVCOL_SPC_RGB ? AVCOL_SPC_UNSPECIFIED : like.colorspace;
    context.chroma_sample_location = like.chroma_location;
}

void set_rate_control(AVCodecContext& context, const RenditionSpec& spec, av::Options& options) {
    if (spec.bitrate > 0) {
        context.rc_max_rate = spec.bitrate;
        context.rc_buffer_size = static_cast<int>(
            std::min<std::int64_t>(spec.quality > 0 ? 2 * spec.bitrate : spec.bitrate, 1 << 30));
    }
    if (spec.quality > 0 || spec.bitrate <= 0) {
        options.set("crf", spec.quality > 0 ? spec.quality : kDefaultCrf);
    } else {
        context.bit_rate = spec.bitrate;
        context.rc_min_rate = spec.bitrate;
    }
}

void set_gop(AVCodecContext& context, const RenditionSpec& spec, av::Options& options) {
    context.gop_size = spec.gop_ms == kGopIntra ? 1 : kKeyIntervalNever;
    // Scene cuts become plain I frames, never IDR: those stay where all renditions have them.
    context.keyint_min = spec.gop_ms == kGopIntra ? 1 : kKeyIntervalNever / 2;
    options.set("forced-idr", 1);
    const bool plain =
        spec.profile == VideoProfile::baseline || spec.profile == VideoProfile::constrained_high;
    if (plain)
        context.max_b_frames = 0;
}

}  // namespace

Result<std::unique_ptr<VideoEncoder>> VideoEncoder::open(const EncoderSettings& settings) {
    const RenditionSpec& spec = *settings.spec;
    const AVCodec* codec = avcodec_find_encoder_by_name("libx264");
    if (codec == nullptr)
        return error(ErrorKind::unsupported, "this machine's FFmpeg has no libx264");
    av::CodecPtr context(avcodec_alloc_context3(codec));
    MR_CHECK(context != nullptr, "out of memory");
    context->width = settings.shape.size.width;
    context->height = settings.shape.size.height;
    context->pix_fmt = settings.shape.format;
    context->sample_aspect_ratio = {1, 1};
    context->thread_count = settings.threads;
    if (settings.headers_apart)
        context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    set_time(*context, settings.rate);
    set_colour(*context, *settings.like);
    av::Options options;
    options.set("preset", spec.preset.empty() ? "veryfast" : spec.preset);
    options.set("a53cc", settings.captions ? 1 : 0);
    options.set("x264-params", "stitchable=1");  // headers from settings, not from content
    if (const char* profile = profile_name(spec.profile); profile != nullptr)
        options.set("profile", profile);
    set_rate_control(*context, spec, options);
    set_gop(*context, spec, options);
    if (const int rc = avcodec_open2(context.get(), codec, options.address()); rc < 0)
        return av::error(ErrorKind::unsupported,
                         "opening libx264 for rendition \"" + spec.name + "\"", rc);
    MR_CHECK(options.left_over().empty(), options.left_over());
    const Rational rate = settings.rate.constant ? settings.rate.rate : kRateOfUneven;
    const Ticks step = std::max<Ticks>(1, kTicksPerSecond * rate.den / rate.num);
    return std::unique_ptr<VideoEncoder>(
        new VideoEncoder(std::move(context), settings.rate.constant, step));
}

Result<void> VideoEncoder::send(const AVFrame& picture, Ticks at, Kind kind) {
    MR_CHECK(times_.empty() || at > times_.back(), "pictures must come in order");
    av::FramePtr frame = av::share(picture);
    frame->pts = counts_ ? frames_ : at;
    frame->pkt_dts = AV_NOPTS_VALUE;
    frame->pict_type = kind.key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    frame->key_frame = kind.key ? 1 : 0;
    av::set_captions(*frame, kind.captions);
    times_.push_back(at);
    ++frames_;
    const int rc = avcodec_send_frame(context_.get(), frame.get());
    return rc < 0 ? Result<void>(av::error(ErrorKind::internal, "avcodec_send_frame", rc))
                  : Result<void>();
}

void VideoEncoder::drain() {
    avcodec_send_frame(context_.get(), nullptr);
}

// Decoding times run ahead of the first picture by the encoder's delay.
Ticks VideoEncoder::true_time(std::int64_t counted) const {
    if (counted < 0)
        return times_.front() + counted * step_;
    return times_[std::min(static_cast<std::size_t>(counted), times_.size() - 1)];
}

Result<av::Pull> VideoEncoder::receive(AVPacket& packet) {
    const int rc = avcodec_receive_packet(context_.get(), &packet);
    if (rc == AVERROR(EAGAIN))
        return av::Pull::needs_input;
    if (rc == AVERROR_EOF)
        return av::Pull::drained;
    if (rc < 0)
        return av::error(ErrorKind::internal, "avcodec_receive_packet", rc);
    if (counts_) {
        packet.pts = true_time(packet.pts);
        packet.dts = true_time(packet.dts);
    }
    packet.duration = step_;
    return av::Pull::ready;
}

// Opening is not enough: what counts is a packet. And SVT-AV1 1.4 waits for ever in its destructor when it is
// closed before it was drained.
static Result<void> encode_one_picture(AVCodecContext& context) {
    const av::FramePtr frame = av::make_frame();
    frame->width = context.width;
    frame->height = context.height;
    frame->format = context.pix_fmt;
    frame->pts = 0;
    if (const int rc = av_frame_get_buffer(frame.get(), 0); rc < 0)
        return av::error(ErrorKind::internal, "a picture", rc);
    for (int plane = 0; plane < 3; ++plane)
        std::memset(frame->data[plane], 128,
                    static_cast<std::size_t>(frame->linesize[plane]) *
                        static_cast<std::size_t>(plane == 0 ? frame->height : frame->height / 2));
    int rc = avcodec_send_frame(&context, frame.get());
    if (rc >= 0)
        rc = avcodec_send_frame(&context, nullptr);
    const av::PacketPtr packet = av::make_packet();
    int packets = 0;
    while (rc >= 0 && (rc = avcodec_receive_packet(&context, packet.get())) >= 0) {
        ++packets;
        av_packet_unref(packet.get());
    }
    if (packets == 0)
        return av::error(ErrorKind::unsupported, "encoding a picture", rc);
    return {};
}

Result<void> try_encoder(const char* name) {
    av::set_up_logging();
    const AVCodec* codec = avcodec_find_encoder_by_name(name);
    if (codec == nullptr)
        return error(ErrorKind::unsupported, "not in this FFmpeg");
    av::CodecPtr context(avcodec_alloc_context3(codec));
    MR_CHECK(context != nullptr, "out of memory");
    context->width = 320;
    context->height = 240;
    context->time_base = {1, 25};
    context->framerate = {25, 1};
    context->pix_fmt = AV_PIX_FMT_YUV420P;
    av::Options quiet;
    if (std::string_view(name) == "libx265")
        quiet.set("x265-params", "log-level=none");
    if (const int rc = avcodec_open2(context.get(), codec, quiet.address()); rc < 0)
        return av::error(ErrorKind::unsupported, "opening it", rc);
    return encode_one_picture(*context);
}

}  // namespace millrace::media
