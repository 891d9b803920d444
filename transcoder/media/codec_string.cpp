#include "transcoder/media/codec_string.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace millrace::media {
namespace {

template <class... Values>
std::string print(const char* format, Values... values) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), format, values...);
    return text.data();
}

// FFmpeg keeps constraint flags in the upper bits of the profile (libavcodec/avcodec.h).
std::string avc_of(const AVCodecParameters& p) {
    if (p.profile < 0 || p.level < 0)
        return {};
    const unsigned constraints = ((p.profile & FF_PROFILE_H264_CONSTRAINED) != 0 ? 0x40U : 0U) |
                                 ((p.profile & FF_PROFILE_H264_INTRA) != 0 ? 0x10U : 0U);
    return print("avc1.%02X%02X%02X", static_cast<unsigned>(p.profile) & 0xffU, constraints,
                 static_cast<unsigned>(p.level));
}

// ISO 14496-15, annex E. Tier is not kept by FFmpeg; compatibility flags follow from the profile.
std::string hevc_of(const AVCodecParameters& p) {
    if (p.profile <= 0 || p.level < 0)
        return {};
    const unsigned compatible = p.profile == FF_PROFILE_HEVC_MAIN ? 6U : 1U << p.profile;
    return print("hvc1.%d.%X.L%d.B0", p.profile, compatible, p.level);
}

int depth_of(const AVCodecParameters& p) {
    const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(p.format));
    return d == nullptr ? 8 : d->comp[0].depth;
}

std::string video_of(const AVCodecParameters& p) {
    switch (p.codec_id) {
        case AV_CODEC_ID_H264:
            return avc_of(p);
        case AV_CODEC_ID_HEVC:
            return hevc_of(p);
        case AV_CODEC_ID_MPEG2VIDEO:  // object type of the Main profile, ISO 14496-1 table 5
            return "mp4v.61";
        case AV_CODEC_ID_VP8:
            return "vp8";
        case AV_CODEC_ID_VP9:
            return print("vp09.%02d.%02d.%02d", std::max(p.profile, 0), p.level > 0 ? p.level : 10,
                         depth_of(p));
        case AV_CODEC_ID_AV1:
            return print("av01.%d.%02dM.%02d", std::max(p.profile, 0), std::max(p.level, 0),
                         depth_of(p));
        default:
            return {};
    }
}

std::string audio_of(const AVCodecParameters& p) {
    switch (p.codec_id) {
        case AV_CODEC_ID_AAC:  // object type = FFmpeg's profile + 1; unknown is nearly always LC
            return print("mp4a.40.%d", p.profile >= 0 ? p.profile + 1 : 2);
        case AV_CODEC_ID_AC3:
            return "ac-3";
        case AV_CODEC_ID_MP2:
            return "mp4a.40.33";
        case AV_CODEC_ID_MP3:
            return "mp4a.40.34";
        case AV_CODEC_ID_OPUS:
            return "opus";
        case AV_CODEC_ID_VORBIS:
            return "vorbis";
        default:
            return {};
    }
}

}  // namespace

std::string codec_string(const AVCodecParameters& parameters) {
    return parameters.codec_type == AVMEDIA_TYPE_VIDEO ? video_of(parameters)
                                                       : audio_of(parameters);
}

std::string avc_string(std::span<const std::uint8_t> annex_b) {
    constexpr std::uint8_t kSequenceParameterSet = 7;
    for (std::size_t at = 0; at + 7 <= annex_b.size(); ++at) {
        const bool start = annex_b[at] == 0 && annex_b[at + 1] == 0 && annex_b[at + 2] == 1;
        if (start && (annex_b[at + 3] & 0x1f) == kSequenceParameterSet)
            return print("avc1.%02X%02X%02X", unsigned{annex_b[at + 4]}, unsigned{annex_b[at + 5]},
                         unsigned{annex_b[at + 6]});
    }
    return {};
}

std::string join_codecs(const std::string& video, const std::string& audio) {
    return video.empty() || audio.empty() ? video + audio : video + "," + audio;
}

}  // namespace millrace::media
