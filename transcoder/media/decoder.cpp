#include "transcoder/media/decoder.h"

#include "transcoder/media/card_scaler.h"

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

StageChoice plan_for(const AVCodecParameters& parameters, const Gpu& gpu) {
    DecodeFacts facts{av::codec_name(parameters.codec_id)};
    if (const auto* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(parameters.format))) {
        facts.depth = format->comp[0].depth;
        facts.yuv420 =
            format->nb_components >= 3 && format->log2_chroma_w == 1 && format->log2_chroma_h == 1;
    }
    return plan_decode(gpu.stages(), facts);
}

// Asked again without the GPU's format when the card refuses the stream.
AVPixelFormat gpu_first(AVCodecContext* context, const AVPixelFormat* offered) {
    for (const AVPixelFormat* format = offered; *format != AV_PIX_FMT_NONE; ++format)
        if (*format == AV_PIX_FMT_CUDA)
            return *format;
    return avcodec_default_get_format(context, offered);
}

}  // namespace

Result<Decoder> Decoder::open(const AVCodecParameters& parameters, const Limits& limits,
                              int threads, const Gpu* gpu) {
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
    StageChoice plan = gpu != nullptr ? plan_for(parameters, *gpu) : StageChoice{};
    if (plan.on_gpu()) {
        context->hw_device_ctx = av_buffer_ref(&gpu->device());
        MR_CHECK(context->hw_device_ctx != nullptr, "out of memory");
        context->get_format = &gpu_first;
        context->thread_count = 1;  // each further one would hold a surface of the card's few
    }
    if (const int rc = avcodec_open2(context.get(), codec, nullptr); rc < 0)
        return av::error(rc == AVERROR(ENOMEM) ? ErrorKind::internal : ErrorKind::bad_input,
                         std::string("opening the ") + name + " decoder", rc);
    const bool leaves = plan.on_gpu() && scales_pictures(*gpu);
    Decoder decoder(std::move(context), std::move(plan), leaves);
    // VP8 cannot say its matrix. FFmpeg's decoder takes it for BT.601, whatever the container says.
    if (parameters.codec_id == AV_CODEC_ID_VP8)
        decoder.matrix_ = parameters.color_space;
    return decoder;
}

Result<void> Decoder::send(const AVPacket& packet) {
    const int rc = avcodec_send_packet(context_.get(), &packet);
    if (rc == AVERROR(ENOMEM) || rc == AVERROR(EAGAIN))
        return av::error(ErrorKind::internal, "avcodec_send_packet", rc);
    if (is_card_failure(rc))
        return av::error(ErrorKind::device, "decoding on the GPU", rc);
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
        if (is_card_failure(rc))
            return av::error(ErrorKind::device, "decoding on the GPU", rc);
        if (rc >= 0) {
            if (const auto fetched = fetch(frame); !fetched)
                return fetched.error();
            if (matrix_ != AVCOL_SPC_UNSPECIFIED)
                frame.colorspace = matrix_;
            if (frame.decode_error_flags != 0 || (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0)
                ++damaged_;
            return av::Pull::ready;
        }
        ++damaged_;  // a damaged picture; the next ones may be whole
    }
    return av::Pull::needs_input;
}

// FFmpeg says "external" for whatever the driver refuses.
bool Decoder::is_card_failure(int rc) const {
    return plan_.on_gpu() && rc == AVERROR_EXTERNAL;
}

Result<void> Decoder::fetch(AVFrame& frame) {
    if (frame.format != AV_PIX_FMT_CUDA)
        return {};
    ++surfaces_;
    // Fields are woven by the CPU, and a surface that is cropped on its left or top is not one to read.
    if (leaves_on_card_ && frame.interlaced_frame == 0 && frame.crop_left == 0 &&
        frame.crop_top == 0)
        return {};
    auto here = download(frame);
    if (!here)
        return here.error();
    ++downloads_;
    av_frame_unref(&frame);
    av_frame_move_ref(&frame, here->get());
    return {};
}

StagesUsed Decoder::stages_used() const {
    StagesUsed used;
    used.decoded = plan_.by;
    used.decode_reason = plan_.reason;
    used.downloads = downloads_;
    if (plan_.on_gpu() && surfaces_ == 0) {
        used.decoded = DecodedBy::refused;
        used.decode_reason = "the card refused the stream";
    }
    return used;
}

}  // namespace millrace::media
