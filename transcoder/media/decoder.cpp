#include "transcoder/media/decoder.h"

namespace millrace::media {

const char* decoder_name(AVCodecID id) {
    switch (id) {
        case AV_CODEC_ID_H264:
            return "h264";
        case AV_CODEC_ID_HEVC:
            return "hevc";
        case AV_CODEC_ID_VP8:
            return "vp8";
        case AV_CODEC_ID_VP9:
            return "vp9";
        case AV_CODEC_ID_AV1:
            return "libdav1d";
        case AV_CODEC_ID_MPEG2VIDEO:
            return "mpeg2video";
        default:
            return nullptr;
    }
}

namespace {

// Decoders allocate whole blocks of up to 64 pixels a side; the exact size is checked later.
std::int64_t coded_pixels(Size picture) {
    const auto whole = [](std::int64_t side) { return (side + 63) / 64 * 64; };
    return whole(picture.width) * whole(picture.height);
}

}  // namespace

Result<Decoder> Decoder::open(const AVCodecParameters& parameters, const Limits& limits,
                              int threads) {
    const char* name = decoder_name(parameters.codec_id);
    const AVCodec* codec = name == nullptr ? nullptr : avcodec_find_decoder_by_name(name);
    if (codec == nullptr)
        return error(ErrorKind::unsupported,
                     "no decoder for " + av::codec_name(parameters.codec_id));
    av::CodecPtr context(avcodec_alloc_context3(codec));
    MR_CHECK(context != nullptr, "out of memory");
    if (const int rc = avcodec_parameters_to_context(context.get(), &parameters); rc < 0)
        return av::error(ErrorKind::internal, "avcodec_parameters_to_context", rc);
    context->pkt_timebase = av::kTickBase;
    context->max_pixels = coded_pixels(limits.picture);
    context->thread_count = threads;
    if (const int rc = avcodec_open2(context.get(), codec, nullptr); rc < 0)
        return av::error(rc == AVERROR(ENOMEM) ? ErrorKind::internal : ErrorKind::bad_input,
                         std::string("opening the ") + name + " decoder", rc);
    return Decoder(std::move(context));
}

Result<void> Decoder::send(const AVPacket& packet) {
    const int rc = avcodec_send_packet(context_.get(), &packet);
    if (rc == AVERROR(ENOMEM) || rc == AVERROR(EAGAIN))
        return av::error(ErrorKind::internal, "avcodec_send_packet", rc);
    if (rc < 0 && rc != AVERROR_EOF)
        ++damaged_;
    return {};
}

void Decoder::drain() {
    avcodec_send_packet(context_.get(), nullptr);
}

Result<av::Pull> Decoder::receive(AVFrame& frame) {
    // A decoder that fails this often in a row without taking anything in is not going on.
    constexpr int kFailuresMax = 64;
    for (int failures = 0; failures < kFailuresMax; ++failures) {
        const int rc = avcodec_receive_frame(context_.get(), &frame);
        if (rc == AVERROR(EAGAIN))
            return av::Pull::needs_input;
        if (rc == AVERROR_EOF)
            return av::Pull::drained;
        if (rc == AVERROR(ENOMEM))
            return av::error(ErrorKind::internal, "avcodec_receive_frame", rc);
        if (rc >= 0) {
            if (frame.decode_error_flags != 0 || (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0)
                ++damaged_;
            return av::Pull::ready;
        }
        ++damaged_;  // a damaged picture; the next ones may be whole
    }
    return av::Pull::needs_input;
}

}  // namespace millrace::media
