#include "transcoder/media/sound_line.h"

#include <algorithm>
#include <cmath>

namespace millrace::media {
namespace {

// Timestamps that are off by more than this are meant: a gap or a step back.
constexpr double kGapSeconds = 0.03;
// An MP3 frame may keep a part of its data in the frame before.
constexpr int kSpoiledFramesMp3 = 2;

}  // namespace

SoundLine::SoundLine(av::CodecPtr decoder, int rate, int channels, Ticks origin)
    : decoder_(std::move(decoder)),
      rate_(rate),
      channels_(channels),
      origin_(origin),
      samples_(static_cast<std::size_t>(channels)) {}

Result<std::unique_ptr<SoundLine>> SoundLine::open(const AVCodecParameters& source, int rate,
                                                   int channels, Ticks origin) {
    const AVCodec* codec = avcodec_find_decoder(source.codec_id);
    if (codec == nullptr)
        return error(ErrorKind::unsupported, "no decoder for " + av::codec_name(source.codec_id));
    av::CodecPtr context(avcodec_alloc_context3(codec));
    MR_CHECK(context != nullptr, "out of memory");
    if (const int rc = avcodec_parameters_to_context(context.get(), &source); rc < 0)
        return av::error(ErrorKind::internal, "avcodec_parameters_to_context", rc);
    context->pkt_timebase = av::kTickBase;
    context->thread_count = 1;
    if (const int rc = avcodec_open2(context.get(), codec, nullptr); rc < 0)
        return av::error(ErrorKind::bad_input,
                         "opening the " + std::string(codec->name) + " decoder", rc);
    return std::unique_ptr<SoundLine>(new SoundLine(std::move(context), rate, channels, origin));
}

// Damaged packets are left out; the gap they leave is filled.
Result<void> SoundLine::push(const AVPacket& packet, bool before) {
    const int rc = avcodec_send_packet(decoder_.get(), &packet);
    if (rc == AVERROR(ENOMEM))
        return av::error(ErrorKind::internal, "avcodec_send_packet", rc);
    return take_decoded(before);
}

Result<void> SoundLine::take_decoded(bool before) {
    const av::FramePtr frame = av::make_frame();
    while (avcodec_receive_frame(decoder_.get(), frame.get()) >= 0) {
        if (frame->nb_samples > 0 && frame->pts != AV_NOPTS_VALUE)
            MR_TRY(take(*frame, before));
        av_frame_unref(frame.get());
    }
    return {};
}

Result<void> SoundLine::take(const AVFrame& frame, bool before) {
    if (frame.sample_rate != in_rate_ || frame.format != in_format_ ||
        frame.ch_layout.nb_channels != in_channels_)
        MR_TRY(set_up_resampler(frame));
    place(frame, before);
    ++frames_;
    length_ += static_cast<double>(frame.nb_samples) * rate_ / in_rate_;
    if (frames_ <= (decoder_->codec_id == AV_CODEC_ID_MP3 ? kSpoiledFramesMp3 : 1))
        spoiled_ = std::llround(length_);
    return resample(&frame);
}

void SoundLine::place(const AVFrame& frame, bool before) {
    const double at =
        static_cast<double>(frame.pts - origin_) * rate_ / static_cast<double>(kTicksPerSecond);
    if (frames_ == 0)
        position_ = at;
    double off = at - (position_ + length_);
    if (std::abs(off) > kGapSeconds * rate_) {
        close_gap(std::llround(off));
        off -= static_cast<double>(std::llround(off));
    }
    if (!before && !own_)
        own_ = length_;
    error_sum_ += off;
    ++stamps_;
}

// Silence where sound is missing; where it steps back, what was there last is replaced.
void SoundLine::close_gap(std::int64_t samples) {
    for (auto& channel : samples_)
        channel.resize(static_cast<std::size_t>(
            std::max<std::int64_t>(0, static_cast<std::int64_t>(channel.size()) + samples)));
    length_ = std::max(0.0, length_ + static_cast<double>(samples));
}

Result<void> SoundLine::set_up_resampler(const AVFrame& frame) {
    if (resampler_)
        MR_TRY(resample(nullptr));
    in_rate_ = frame.sample_rate;
    in_format_ = frame.format;
    in_channels_ = frame.ch_layout.nb_channels;
    AVChannelLayout from{};
    if (frame.ch_layout.order == AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_default(&from, in_channels_);
    else if (av_channel_layout_copy(&from, &frame.ch_layout) < 0)
        return error(ErrorKind::overloaded, "out of memory");
    AVChannelLayout to{};
    av_channel_layout_default(&to, channels_);
    SwrContext* context = nullptr;
    int rc = swr_alloc_set_opts2(&context, &to, AV_SAMPLE_FMT_FLTP, rate_, &from,
                                 static_cast<AVSampleFormat>(in_format_), in_rate_, 0, nullptr);
    resampler_.reset(context);
    if (rc >= 0)
        rc = swr_init(context);
    av_channel_layout_uninit(&from);
    return rc < 0 ? Result<void>(av::error(ErrorKind::bad_input, "this sound cannot be mixed", rc))
                  : Result<void>();
}

Result<void> SoundLine::resample(const AVFrame* frame) {
    const int in = frame == nullptr ? 0 : frame->nb_samples;
    const int room = swr_get_out_samples(resampler_.get(), in);
    if (room <= 0)
        return {};
    const std::size_t had = samples_[0].size();
    std::vector<std::uint8_t*> to;
    for (auto& channel : samples_) {
        channel.resize(had + static_cast<std::size_t>(room));
        to.push_back(reinterpret_cast<std::uint8_t*>(channel.data() + had));
    }
    const int made = swr_convert(
        resampler_.get(), to.data(), room,
        frame == nullptr ? nullptr : const_cast<const std::uint8_t**>(frame->extended_data), in);
    for (auto& channel : samples_)
        channel.resize(had + static_cast<std::size_t>(std::max(made, 0)));
    return made < 0 ? Result<void>(av::error(ErrorKind::internal, "swr_convert", made))
                    : Result<void>();
}

Result<void> SoundLine::finish() {
    avcodec_send_packet(decoder_.get(), nullptr);
    MR_TRY(take_decoded(false));
    if (resampler_)
        MR_TRY(resample(nullptr));
    // The resampler's filter gives a sample more or less than its rates say.
    for (auto& channel : samples_)
        channel.resize(static_cast<std::size_t>(std::llround(length_)),
                       channel.empty() ? 0.0F : channel.back());
    repair_start();
    return {};
}

void SoundLine::repair_start() {
    const auto spoiled = static_cast<std::size_t>(spoiled_);
    if (spoiled == 0 || samples_[0].size() < 2 * spoiled)
        return;
    for (auto& channel : samples_)
        for (std::size_t i = 0; i < spoiled; ++i)
            channel[spoiled - 1 - i] = channel[spoiled + i];
}

double SoundLine::start() const {
    const double first =
        position_ + error_sum_ / static_cast<double>(std::max<std::int64_t>(1, stamps_));
    return first + own_.value_or(0);
}

double SoundLine::end() const {
    return start() - own_.value_or(0) + length_;
}

std::int64_t SoundLine::base() const {
    return std::llround(start() - own_.value_or(0));
}

void SoundLine::copy(int channel, std::int64_t position, std::int64_t count, float* to) const {
    const std::vector<float>& from = samples_[static_cast<std::size_t>(channel)];
    const auto size = static_cast<std::int64_t>(from.size());
    for (std::int64_t i = 0; i < count; ++i) {
        if (size == 0) {
            to[i] = 0;
            continue;
        }
        // Mirrored at both ends: 2 1 0 | 0 1 2 | 2 1 0.
        std::int64_t at = (position + i - base()) % (2 * size);
        at = at < 0 ? at + 2 * size : at;
        to[i] = from[static_cast<std::size_t>(at < size ? at : 2 * size - 1 - at)];
    }
}

}  // namespace millrace::media
