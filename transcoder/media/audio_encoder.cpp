#include "transcoder/media/audio_encoder.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace millrace::media {
namespace {

constexpr int kOpusRate = 48'000;
constexpr int kChannelsMax = 8;
constexpr std::int64_t kAacBitsPerChannel = 64'000;   // bit/s
constexpr std::int64_t kOpusBitsPerChannel = 48'000;  // bit/s
// Frames fed before the first that counts: by then neither codec shows that it started cold.
constexpr std::int64_t kLeadFrames = 12;
// Frames fed after the last: AAC decides about block lengths by looking at the next frame.
constexpr std::int64_t kTrailFrames = 1;
constexpr std::array<int, 12> kAacRates{96000, 88200, 64000, 48000, 44100, 32000,
                                        24000, 22050, 16000, 12000, 11025, 8000};

int rate_of(const AudioSpec& spec, const AVCodecParameters& source) {
    if (spec.codec == AudioCodec::opus)
        return kOpusRate;
    const int wanted = spec.rate > 0 ? spec.rate : source.sample_rate;
    return std::ranges::find(kAacRates, wanted) != kAacRates.end() ? wanted : kOpusRate;
}

int channels_of(const AudioSpec& spec, const AVCodecParameters& source) {
    const int wanted = spec.channels > 0 ? spec.channels : source.ch_layout.nb_channels;
    const int channels = wanted <= 0 ? 2 : std::min(wanted, kChannelsMax);
    return channels == 7 ? 6 : channels;
}

// Opus in MP4 says how much to skip at the start. Our frames stand where they sound: nothing.
void clear_pre_skip(AVCodecParameters& parameters) {
    constexpr int kPreSkipAt = 10;  // RFC 7845, 5.1: two bytes after magic, version and channels
    if (parameters.codec_id == AV_CODEC_ID_OPUS && parameters.extradata_size >= kPreSkipAt + 2)
        parameters.extradata[kPreSkipAt] = parameters.extradata[kPreSkipAt + 1] = 0;
    parameters.initial_padding = 0;
}

}  // namespace

const char* encoder_name(AudioCodec codec) {
    switch (codec) {
        case AudioCodec::aac:
            return "aac";
        case AudioCodec::opus:
            return "libopus";
        default:
            return nullptr;
    }
}

bool satisfied_by(const AudioSpec& spec, const AVCodecParameters& source) {
    return av::audio_codec(source.codec_id) == spec.codec && spec.bitrate == 0 &&
           (spec.rate == 0 || spec.rate == source.sample_rate) &&
           (spec.channels == 0 || spec.channels == source.ch_layout.nb_channels);
}

AudioEncoder::AudioEncoder(av::CodecPtr encoder, std::unique_ptr<SoundLine> line)
    : encoder_(std::move(encoder)),
      parameters_(avcodec_parameters_alloc()),
      line_(std::move(line)),
      grid_{encoder_->frame_size, encoder_->initial_padding} {
    MR_CHECK(parameters_ != nullptr &&
                 avcodec_parameters_from_context(parameters_.get(), encoder_.get()) >= 0,
             "out of memory");
    clear_pre_skip(*parameters_);
}

Result<std::unique_ptr<AudioEncoder>> AudioEncoder::open(const AudioSpec& spec,
                                                         const AVCodecParameters& source,
                                                         Ticks origin) {
    const char* name = encoder_name(spec.codec);
    const AVCodec* codec = name == nullptr ? nullptr : avcodec_find_encoder_by_name(name);
    if (codec == nullptr)
        return error(ErrorKind::unsupported, "this machine's FFmpeg has no encoder for " +
                                                 std::string(to_string(spec.codec)));
    av::CodecPtr context(avcodec_alloc_context3(codec));
    MR_CHECK(context != nullptr, "out of memory");
    const bool opus = spec.codec == AudioCodec::opus;
    const int channels = channels_of(spec, source);
    context->sample_rate = rate_of(spec, source);
    context->time_base = {1, context->sample_rate};
    context->sample_fmt = opus ? AV_SAMPLE_FMT_FLT : AV_SAMPLE_FMT_FLTP;
    av_channel_layout_default(&context->ch_layout, channels);
    context->bit_rate = spec.bitrate > 0
                            ? spec.bitrate
                            : channels * (opus ? kOpusBitsPerChannel : kAacBitsPerChannel);
    context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    context->thread_count = 1;
    if (const int rc = avcodec_open2(context.get(), codec, nullptr); rc < 0)
        return av::error(
            ErrorKind::unsupported,
            "opening " + std::string(name) + " for " + std::to_string(context->bit_rate) + " bit/s",
            rc);
    auto line = SoundLine::open(source, context->sample_rate, channels, origin);
    if (!line)
        return line.error();
    return std::unique_ptr<AudioEncoder>(new AudioEncoder(std::move(context), std::move(*line)));
}

Result<void> AudioEncoder::send(std::int64_t position) {
    const av::FramePtr frame = av::make_frame();
    frame->nb_samples = grid_.frame;
    frame->format = encoder_->sample_fmt;
    frame->sample_rate = encoder_->sample_rate;
    frame->pts = position;
    MR_CHECK(av_channel_layout_copy(&frame->ch_layout, &encoder_->ch_layout) >= 0 &&
                 av_frame_get_buffer(frame.get(), 0) >= 0,
             "out of memory");
    const int channels = encoder_->ch_layout.nb_channels;
    const bool planar = av_sample_fmt_is_planar(encoder_->sample_fmt) != 0;
    std::vector<float> one(static_cast<std::size_t>(grid_.frame));
    for (int c = 0; c < channels; ++c) {
        line_->copy(c, position, grid_.frame, one.data());
        auto* to = reinterpret_cast<float*>(frame->extended_data[planar ? c : 0]);
        for (std::int32_t i = 0; i < grid_.frame; ++i)
            to[planar ? i : i * channels + c] = one[static_cast<std::size_t>(i)];
    }
    const int rc = avcodec_send_frame(encoder_.get(), frame.get());
    return rc < 0 ? Result<void>(av::error(ErrorKind::internal, "avcodec_send_frame", rc))
                  : Result<void>();
}

// Keeps the packets that stand in [from, to).
Result<void> AudioEncoder::receive(std::int64_t from, std::int64_t to,
                                   std::vector<av::PacketPtr>& packets) {
    while (true) {
        av::PacketPtr packet = av::make_packet();
        const int rc = avcodec_receive_packet(encoder_.get(), packet.get());
        if (rc == AVERROR(EAGAIN) || rc == AVERROR_EOF)
            return {};
        if (rc < 0)
            return av::error(ErrorKind::internal, "avcodec_receive_packet", rc);
        if (packet->pts < from || packet->pts >= to)
            continue;
        av_packet_free_side_data(packet.get());
        packet->time_base = encoder_->time_base;
        packet->dts = packet->pts;
        packet->duration = grid_.frame;
        packets.push_back(std::move(packet));
    }
}

Result<void> AudioEncoder::try_out() {
    std::vector<av::PacketPtr> packets;
    const std::int64_t until = kLeadFrames * grid_.frame;
    for (std::int64_t at = 0; at < until; at += grid_.frame) {
        MR_TRY(send(at));
        MR_TRY(receive(0, until, packets));
    }
    avcodec_send_frame(encoder_.get(), nullptr);
    MR_TRY(receive(0, until, packets));
    return packets.empty() ? Result<void>(error(ErrorKind::unsupported, "it gave no packet"))
                           : Result<void>();
}

Result<std::vector<av::PacketPtr>> AudioEncoder::finish() {
    std::vector<av::PacketPtr> packets;
    if (const auto finished = line_->finish(); !finished)
        return finished.error();
    if (line_->empty())
        return packets;
    const SampleGrid::Range owned = grid_.owned(line_->start(), line_->end());
    const std::int64_t from = owned.first * grid_.frame;
    const std::int64_t to = owned.end * grid_.frame;
    for (std::int64_t k = owned.first - kLeadFrames; k < owned.end + kTrailFrames; ++k) {
        if (const auto sent = send(k * grid_.frame + grid_.ahead); !sent)
            return sent.error();
        if (const auto received = receive(from, to, packets); !received)
            return received.error();
    }
    avcodec_send_frame(encoder_.get(), nullptr);
    if (const auto received = receive(from, to, packets); !received)
        return received.error();
    return packets;
}

}  // namespace millrace::media
