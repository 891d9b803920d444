#include "transcoder/media/video_copy.h"

#include <algorithm>

#include "transcoder/media/colour.h"
#include "transcoder/media/decoding_times.h"
#include "transcoder/media/muxer.h"
#include "transcoder/media/parameter_sets.h"
#include "transcoder/media/picture.h"

namespace millrace::media {
namespace {

// Profiles nest: who plays Main plays Baseline.
bool profile_fits(VideoProfile wanted, const AVCodecParameters& p) {
    const bool baseline =
        p.profile == FF_PROFILE_H264_BASELINE || p.profile == FF_PROFILE_H264_CONSTRAINED_BASELINE;
    const bool main = baseline || p.profile == FF_PROFILE_H264_MAIN;
    switch (wanted) {
        case VideoProfile::automatic:
            return true;
        case VideoProfile::baseline:
            return p.profile == FF_PROFILE_H264_CONSTRAINED_BASELINE;
        case VideoProfile::main:
            return main;
        case VideoProfile::high:
            return main || p.profile == FF_PROFILE_H264_HIGH;
        case VideoProfile::constrained_high:
            return (main || p.profile == FF_PROFILE_H264_HIGH) && p.video_delay == 0;
    }
    return false;
}

AVPixelFormat without_range(AVPixelFormat format) {
    return format == AV_PIX_FMT_YUVJ420P   ? AV_PIX_FMT_YUV420P
           : format == AV_PIX_FMT_YUVJ422P ? AV_PIX_FMT_YUV422P
           : format == AV_PIX_FMT_YUVJ444P ? AV_PIX_FMT_YUV444P
                                           : format;
}

bool picture_fits(const RenditionSpec& spec, const AVFrame& first) {
    const auto format = without_range(static_cast<AVPixelFormat>(first.format));
    if (first.interlaced_frame != 0 || format != pixel_format(spec.chroma, spec.color_depth))
        return false;
    return spec.color_depth > 8 || !needs_tone_map(colour_of(first));
}

// The types of NAL unit in a packet, Annex B or with lengths in front (avcC, hvcC: four bytes).
std::vector<int> nal_types(AVCodecID codec, std::span<const std::uint8_t> packet, bool lengths) {
    const auto type = [codec](std::uint8_t byte) {
        return codec == AV_CODEC_ID_H264 ? byte & 0x1f : byte >> 1 & 0x3f;
    };
    std::vector<int> types;
    if (!lengths) {
        for (const auto unit : nal_units(packet))
            types.push_back(type(unit.front()));
        return types;
    }
    for (std::size_t at = 0; at + 5 <= packet.size();) {
        const std::uint32_t size = std::uint32_t{packet[at]} << 24 |
                                   std::uint32_t{packet[at + 1]} << 16 |
                                   std::uint32_t{packet[at + 2]} << 8 | packet[at + 3];
        types.push_back(type(packet[at + 4]));
        if (size > packet.size() - at - 4)
            break;
        at += 4 + size;
    }
    return types;
}

// An IDR picture: nothing after it needs anything before it.
bool is_clean_start(const AVPacket& packet, const AVCodecParameters& p) {
    if ((packet.flags & AV_PKT_FLAG_KEY) == 0)
        return false;
    if (p.codec_id != AV_CODEC_ID_H264 && p.codec_id != AV_CODEC_ID_HEVC)
        return true;
    const bool lengths = p.extradata_size > 0 && p.extradata[0] == 1;
    const auto types =
        nal_types(p.codec_id, {packet.data, static_cast<std::size_t>(packet.size)}, lengths);
    return std::ranges::any_of(types, [&](int type) {
        return p.codec_id == AV_CODEC_ID_H264 ? type == 5 : type == 19 || type == 20;
    });
}

bool is_turned(const CopySource& source) {
    return !source.stream->orientation.value_or(av::Orientation{}).upright() ||
           av_frame_get_side_data(source.first, AV_FRAME_DATA_DISPLAYMATRIX) != nullptr;
}

}  // namespace

bool may_be_copied(const RenditionSpec& spec, const CopySource& source) {
    if (spec.bypass != Bypass::if_fits || source.stream == nullptr || source.first == nullptr)
        return false;
    const AVCodecParameters& p = *source.stream->parameters;
    const Size coded{p.width, p.height};
    const NominalRate& rate = source.stream->rate;
    return av::video_codec(p.codec_id) == spec.codec && can_carry(spec.container, p.codec_id) &&
           !is_turned(source) && coded == source.display && fit(spec, source.display) == coded &&
           (spec.fps.num == 0 || (rate.constant && rate.rate == spec.fps)) &&
           profile_fits(spec.profile, p) && picture_fits(spec, *source.first);
}

VideoCopy::VideoCopy(const RenditionSpec& spec, const CopySource& source)
    : spec_(spec), stream_(*source.stream), origin_(source.origin) {}

void VideoCopy::push(const AVPacket& packet) {
    av::PacketPtr copy = av::make_packet();
    MR_CHECK(av_packet_ref(copy.get(), &packet) >= 0, "out of memory");
    bytes_ += packet.size;
    damaged_ |= (packet.flags & (AV_PKT_FLAG_CORRUPT | AV_PKT_FLAG_DISCARD)) != 0;
    damaged_ |= begins(packet) != nullptr;  // in another codec: no decoder would go on
    packets_.push_back(std::move(copy));
}

std::vector<Ticks> VideoCopy::shown() const {
    std::vector<Ticks> times;
    for (const av::PacketPtr& packet : packets_)
        times.push_back(packet->pts);
    std::ranges::sort(times);
    return times;
}

bool VideoCopy::times_are_whole() const {
    for (std::size_t n = 0; n < packets_.size(); ++n) {
        const AVPacket& packet = *packets_[n];
        if (packet.pts == AV_NOPTS_VALUE || packet.dts == AV_NOPTS_VALUE ||
            packet.pts < packet.dts || (n > 0 && packet.dts <= packets_[n - 1]->dts))
            return false;
    }
    const std::vector<Ticks> times = shown();
    return std::ranges::adjacent_find(times) == times.end();
}

// Nothing is shown before the first packet's picture: no leading pictures of an open GOP.
bool VideoCopy::starts_clean() const {
    return is_clean_start(*packets_.front(), *stream_.parameters) &&
           std::ranges::all_of(packets_, [this](const av::PacketPtr& packet) {
               return packet->pts >= packets_.front()->pts;
           });
}

bool VideoCopy::keys_are_in_place() const {
    if (spec_.gop_ms == kGopDefault)
        return true;
    KeyGrid keys(spec_.gop_ms, origin_, packets_.front()->pts);
    std::vector<const AVPacket*> in_order;
    for (const av::PacketPtr& packet : packets_)
        in_order.push_back(packet.get());
    std::ranges::sort(in_order, {}, [](const AVPacket* packet) { return packet->pts; });
    return std::ranges::all_of(in_order, [&](const AVPacket* packet) {
        return !keys.is_key(packet->pts) || is_clean_start(*packet, *stream_.parameters);
    });
}

bool VideoCopy::fits(Ticks end) const {
    if (packets_.empty() || damaged_ || !times_are_whole() || !starts_clean())
        return false;
    const Ticks length = end - packets_.front()->pts;
    const bool within = spec_.bitrate <= 0 ||
                        (length > 0 && bytes_ * 8 * kTicksPerSecond / length <= spec_.bitrate);
    return within && keys_are_in_place();
}

void VideoCopy::prepare(Ticks end, std::optional<Ticks> floor) {
    if (floor && packets_.front()->dts < *floor) {
        std::vector<Ticks> in_order_of_decoding;
        for (const av::PacketPtr& packet : packets_)
            in_order_of_decoding.push_back(packet->pts);
        const Ticks delay = packets_.front()->pts - packets_.front()->dts;
        const auto times = decoding_times(shown(), in_order_of_decoding, delay, *floor);
        for (std::size_t n = 0; n < packets_.size(); ++n)
            packets_[n]->dts = times[n];
    }
    // All durations together are the segment's, so that fragments meet.
    const Ticks until = packets_.front()->dts + (end - packets_.front()->pts);
    for (std::size_t n = 0; n < packets_.size(); ++n) {
        const Ticks next = n + 1 < packets_.size() ? packets_[n + 1]->dts : until;
        packets_[n]->duration = std::max<Ticks>(1, next - packets_[n]->dts);
    }
}

std::span<const std::uint8_t> VideoCopy::first_bytes() const {
    return {packets_.front()->data, static_cast<std::size_t>(packets_.front()->size)};
}

}  // namespace millrace::media
