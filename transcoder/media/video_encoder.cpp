#include "transcoder/media/video_encoder.h"

#include <algorithm>
#include <cstring>

namespace millrace::media {

VideoEncoder::VideoEncoder(const EncoderSettings& settings)
    : settings_(settings),
      like_(av::make_frame()),
      control_(settings),
      counts_(settings.rate.constant) {
    MR_CHECK(av_frame_copy_props(like_.get(), settings.like) >= 0, "out of memory");
    settings_.like = like_.get();
    const Rational rate = told_rate(settings.rate);
    step_ = std::max<Ticks>(1, kTicksPerSecond * rate.den / rate.num);
}

Result<std::unique_ptr<VideoEncoder>> VideoEncoder::open(const EncoderSettings& settings) {
    std::unique_ptr<VideoEncoder> encoder(new VideoEncoder(settings));
    MR_TRY(encoder->open_context(RateControl::Start::quick));
    encoder->trial_ = encoder->control_.may_overdraw();
    return encoder;
}

Result<void> VideoEncoder::open_context(RateControl::Start start) {
    const RenditionSpec& spec = *settings_.spec;
    const char* name =
        settings_.gpu != nullptr ? gpu_encoder_name(spec.codec) : encoder_name(spec.codec);
    const AVCodec* codec = name == nullptr ? nullptr : avcodec_find_encoder_by_name(name);
    if (codec == nullptr)
        return error(ErrorKind::unsupported, "this machine's FFmpeg has no encoder for " +
                                                 std::string(to_string(spec.codec)));
    av::CodecPtr context(avcodec_alloc_context3(codec));
    MR_CHECK(context != nullptr, "out of memory");
    av::Options options;
    apply(settings_, *context, options);
    if (settings_.gpu != nullptr) {
        if (surfaces_ == nullptr) {
            auto made =
                make_cuda_surfaces(settings_.gpu->device(), settings_.shape.size, AV_PIX_FMT_NV12);
            if (!made)
                return made.error();
            surfaces_ = std::move(*made);
        }
        context->hw_frames_ctx = av_buffer_ref(surfaces_.get());
        MR_CHECK(context->hw_frames_ctx != nullptr, "out of memory");
    }
    control_.set_up(start, *context, options);
    if (const int rc = avcodec_open2(context.get(), codec, options.address()); rc < 0)
        return av::error(ErrorKind::unsupported,
                         std::string("opening ") + name + " for rendition \"" + spec.name + "\"",
                         rc);
    MR_CHECK(options.left_over().empty(), options.left_over());
    control_.opened(*context);
    context_ = std::move(context);
    return {};
}

Result<av::FramePtr> VideoEncoder::where_it_encodes(const AVFrame& picture) {
    if (settings_.gpu == nullptr || picture.format == AV_PIX_FMT_CUDA)
        return av::share(picture);
    ++uploads_;
    return upload(picture, *surfaces_);
}

Error VideoEncoder::failure(const char* operation, int rc) const {
    return settings_.gpu != nullptr
               ? error(ErrorKind::device,
                       "encoding on the GPU: " + std::string(operation) + ": " + av::words(rc))
               : av::error(ErrorKind::internal, operation, rc);
}

Result<void> VideoEncoder::send(const AVFrame& picture, Ticks at, Kind kind) {
    MR_CHECK(times_.empty() || at > times_.back(), "pictures must come in order");
    auto there = where_it_encodes(picture);
    if (!there)
        return there.error();
    const av::FramePtr frame = std::move(*there);
    frame->pts = counts_ ? frames_ : at;
    frame->pkt_dts = AV_NOPTS_VALUE;
    frame->pict_type = kind.key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    frame->key_frame = kind.key ? 1 : 0;
    av::set_captions(*frame, kind.captions);
    times_.push_back(at);
    ++frames_;
    if ((packets_ == 0 && control_.may_overspend()) || trial_)
        beginning_.push_back(av::share(*frame));
    if (trial_)
        trial_bytes_ += static_cast<std::size_t>(
            av_image_get_buffer_size(context_->pix_fmt, frame->width, frame->height, 1));
    const int rc = avcodec_send_frame(context_.get(), frame.get());
    return rc < 0 ? Result<void>(failure("avcodec_send_frame", rc)) : Result<void>();
}

void VideoEncoder::drain() {
    draining_ = true;
    avcodec_send_frame(context_.get(), nullptr);
}

// In pictures. FFmpeg 5.1 does not say it of libx265, whose presets all have pyramids of B-frames.
std::int64_t VideoEncoder::reorder() const {
    constexpr int kX265Reorder = 2;
    const bool x265 = settings_.gpu == nullptr && context_->codec_id == AV_CODEC_ID_HEVC;
    return std::max(context_->has_b_frames, x265 ? kX265Reorder : 0);
}

std::optional<Ticks> VideoEncoder::delay() const {
    return counts_ ? std::optional<Ticks>(reorder() * step_) : std::nullopt;
}

// The n-th packet is decoded when the picture shown that many before it is shown; the first ones
// run ahead. (What encoders say themselves is not always set: x265's after very few pictures.)
Ticks VideoEncoder::decoded_at(std::int64_t packet) const {
    const std::int64_t shown = packet - reorder();
    if (shown >= 0)
        return times_[static_cast<std::size_t>(shown)];
    // No further than pictures really are apart, or it would be before the end of the last segment.
    const Ticks step = times_.size() > 1 ? std::min(step_, times_[1] - times_[0]) : step_;
    return times_.front() + shown * step;
}

// The first packet was more than the decoder's buffer may be asked for.
Result<void> VideoEncoder::begin_again() {
    MR_TRY(open_context(RateControl::Start::careful));
    for (const av::FramePtr& frame : beginning_)
        if (const int rc = avcodec_send_frame(context_.get(), frame.get()); rc < 0)
            return av::error(ErrorKind::internal, "avcodec_send_frame", rc);
    if (draining_)
        drain();
    return {};
}

// Nothing has to be begun again any more.
void VideoEncoder::settle() {
    trial_ = false;
    beginning_.clear();
    like_.reset();
}

// What the encoder has, until it is known whether all of it may stay.
Result<void> VideoEncoder::try_on(const Pulse& pulse) {
    while (trial_) {
        const auto overdrawn = hold_packets(pulse);
        if (!overdrawn)
            return overdrawn.error();
        if (!*overdrawn) {
            if (draining_ || trial_bytes_ > kTrialBytesMax)
                settle();
            return {};
        }
        MR_TRY(begin_again_coarser(pulse));
    }
    return {};
}

// All that the encoder has now; true: as far as they went until the buffer was overdrawn.
Result<bool> VideoEncoder::hold_packets(const Pulse& pulse) {
    while (true) {
        MR_TRY(pulse());
        av::PacketPtr packet = av::make_packet();
        const int rc = avcodec_receive_packet(context_.get(), packet.get());
        if (rc == AVERROR(EAGAIN) || rc == AVERROR_EOF)
            return false;
        if (rc < 0)
            return failure("avcodec_receive_packet", rc);
        MR_TRY(put_times(*packet));
        control_.encoded(*context_, *packet);
        held_.push_back(std::move(packet));
        if (control_.overdrawn())
            return true;
    }
}

// All pictures so far, as often as it takes.
Result<void> VideoEncoder::begin_again_coarser(const Pulse& pulse) {
    for (bool again = true; again;) {
        held_.clear();
        packets_ = 0;
        MR_TRY(open_context(RateControl::Start::careful));
        const auto overdrawn = send_beginning(pulse);
        if (!overdrawn)
            return overdrawn.error();
        again = *overdrawn;
    }
    if (!control_.may_overdraw())
        settle();
    if (draining_)
        drain();
    return {};
}

// True: as far as the pictures went until the buffer was overdrawn again.
Result<bool> VideoEncoder::send_beginning(const Pulse& pulse) {
    for (const av::FramePtr& frame : beginning_) {
        if (const int rc = avcodec_send_frame(context_.get(), frame.get()); rc < 0)
            return failure("avcodec_send_frame", rc);
        const auto overdrawn = hold_packets(pulse);
        if (!overdrawn || *overdrawn)
            return overdrawn;
    }
    return false;
}

Result<av::Pull> VideoEncoder::receive(AVPacket& packet, const Pulse& pulse) {
    if (const auto tried = try_on(pulse); !tried)
        return tried.error();
    if (trial_)
        return av::Pull::needs_input;
    if (!held_.empty()) {
        av_packet_move_ref(&packet, held_.front().get());
        held_.pop_front();
        return av::Pull::ready;
    }
    int rc = avcodec_receive_packet(context_.get(), &packet);
    if (rc >= 0 && packets_ == 0) {
        if (control_.overspent(packet)) {
            av_packet_unref(&packet);
            if (const auto begun = begin_again(); !begun)
                return begun.error();
            rc = avcodec_receive_packet(context_.get(), &packet);
        }
        settle();
    }
    if (rc == AVERROR(EAGAIN))
        return av::Pull::needs_input;
    if (rc == AVERROR_EOF)
        return av::Pull::drained;
    if (rc < 0)
        return failure("avcodec_receive_packet", rc);
    if (const auto put = put_times(packet); !put)
        return put.error();
    control_.encoded(*context_, packet);
    return av::Pull::ready;
}

Result<void> VideoEncoder::put_times(AVPacket& packet) {
    if (counts_) {
        if (packet.pts < 0 || packet.pts >= frames_)
            return error(ErrorKind::internal, "the encoder made up a time");
        packet.pts = times_[static_cast<std::size_t>(packet.pts)];
    }
    if (packets_ >= frames_)
        return error(ErrorKind::internal, "the encoder made more packets than pictures");
    packet.dts = std::min(decoded_at(packets_++), packet.pts);
    packet.duration = step_;
    return {};
}

av::FramePtr grey_picture(Size size) {
    av::FramePtr frame = av::make_frame();
    frame->width = size.width;
    frame->height = size.height;
    frame->format = AV_PIX_FMT_YUV420P;
    frame->pts = 0;
    MR_CHECK(av_frame_get_buffer(frame.get(), 0) >= 0, "out of memory for a picture");
    for (int plane = 0; plane < 3; ++plane)
        std::memset(frame->data[plane], 128,
                    static_cast<std::size_t>(frame->linesize[plane]) *
                        static_cast<std::size_t>(plane == 0 ? frame->height : frame->height / 2));
    return frame;
}

// Opening is not enough: what counts is a packet. And SVT-AV1 1.4 waits for ever in its destructor
// when it is closed before it was drained.
static Result<void> encode_one_picture(AVCodecContext& context, const AVFrame& frame) {
    int rc = avcodec_send_frame(&context, &frame);
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

static Result<av::CodecPtr> open_for(const char* name, const AVFrame& picture) {
    const AVCodec* codec = avcodec_find_encoder_by_name(name);
    if (codec == nullptr)
        return error(ErrorKind::unsupported, "not in this FFmpeg");
    av::CodecPtr context(avcodec_alloc_context3(codec));
    MR_CHECK(context != nullptr, "out of memory");
    context->width = picture.width;
    context->height = picture.height;
    context->time_base = {1, 25};
    context->framerate = {25, 1};
    context->pix_fmt = static_cast<AVPixelFormat>(picture.format);
    if (picture.hw_frames_ctx != nullptr)
        context->hw_frames_ctx = av_buffer_ref(picture.hw_frames_ctx);
    av::Options quiet;
    if (std::string_view(name) == "libx265")
        quiet.set("x265-params", "log-level=none");
    if (const int rc = avcodec_open2(context.get(), codec, quiet.address()); rc < 0)
        return av::error(ErrorKind::unsupported, "opening it", rc);
    return context;
}

Result<void> try_encoder(const char* name, const AVFrame& picture) {
    av::set_up_logging();
    const auto context = open_for(name, picture);
    return context ? encode_one_picture(**context, picture) : Result<void>(context.error());
}

std::uint32_t encoders_at_once(const char* name, const AVFrame& surface, std::uint32_t most) {
    std::vector<av::CodecPtr> open;
    while (open.size() < most) {
        auto another = open_for(name, surface);
        if (!another)
            break;
        open.push_back(*std::move(another));
    }
    return static_cast<std::uint32_t>(open.size());
}

Result<void> try_encoder(const char* name) {
    constexpr Size kSmall{64, 64};
    return try_encoder(name, *grey_picture(kSmall));
}

}  // namespace millrace::media
