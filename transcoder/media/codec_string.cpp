#include "transcoder/media/codec_string.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "transcoder/media/parameter_sets.h"

namespace millrace::media {
namespace {

using Bytes = std::span<const std::uint8_t>;

// Profile, compatibility, constraints and level as H.265 7.3.3 and ISO 14496-15 8.3.3 both begin.
constexpr std::size_t kProfileTierLevelBytes = 12;

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

// Profile, constraints, level: the same three bytes in the parameter set and in avcC.
std::string avc_of_bytes(Bytes bytes) {
    return print("avc1.%02X%02X%02X", unsigned{bytes[0]}, unsigned{bytes[1]}, unsigned{bytes[2]});
}

// ISO 14496-15, annex E: profile, compatibility flags with their bits reversed, tier and level, and
// the constraint bytes as far as they are not zero.
std::string hevc_of_bytes(Bytes bytes) {
    std::uint32_t compatible = 0;
    for (unsigned bit = 0; bit < 32; ++bit)
        if ((bytes[1 + bit / 8] >> (7 - bit % 8) & 1) != 0)
            compatible |= 1U << bit;
    std::string text = print("hvc1.%u.%X.%c%u", bytes[0] & 0x1fU, compatible,
                             (bytes[0] & 0x20) != 0 ? 'H' : 'L', unsigned{bytes[11]});
    std::size_t constraints = 6;
    while (constraints > 0 && bytes[4 + constraints] == 0)
        --constraints;
    for (std::size_t i = 0; i < constraints; ++i)
        text += print(".%X", unsigned{bytes[5 + i]});
    return text;
}

// AV1 in ISO BMFF, 2.3.3: profile and level; tier and depth.
std::string av1_of_bytes(Bytes bytes) {
    const bool high = (bytes[2] & 0x40) != 0;
    const bool twelve = (bytes[2] & 0x20) != 0;
    return print("av01.%u.%02u%c.%02d", bytes[1] >> 5 & 7U, bytes[1] & 0x1fU,
                 (bytes[2] & 0x80) != 0 ? 'H' : 'M',
                 twelve ? 12
                 : high ? 10
                        : 8);
}

// Bytes that were put in so that no start code appears (H.265 7.3.1.1) are taken out again.
std::vector<std::uint8_t> without_emulation(Bytes unit) {
    std::vector<std::uint8_t> plain;
    int zeros = 0;
    for (const std::uint8_t byte : unit) {
        if (zeros >= 2 && byte == 3) {
            zeros = 0;
            continue;
        }
        zeros = byte == 0 ? zeros + 1 : 0;
        plain.push_back(byte);
    }
    return plain;
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

std::string annex_b_string(AVCodecID codec, Bytes annex_b) {
    for (const Bytes unit : nal_units(annex_b)) {
        if (codec == AV_CODEC_ID_H264 && (unit.front() & 0x1f) == 7 && unit.size() >= 4)
            return avc_of_bytes(unit.subspan(1));
        if (codec != AV_CODEC_ID_HEVC || (unit.front() >> 1 & 0x3f) != 33)
            continue;
        const auto plain = without_emulation(unit);
        // Two bytes of NAL header and one of sub-layers stand before profile_tier_level().
        if (plain.size() >= 3 + kProfileTierLevelBytes)
            return hevc_of_bytes(Bytes(plain).subspan(3));
    }
    return {};
}

std::string init_string(Bytes init) {
    if (const Bytes avc = box(init, "avcC"); avc.size() >= 4)
        return avc_of_bytes(avc.subspan(1));
    if (const Bytes hevc = box(init, "hvcC"); hevc.size() >= 1 + kProfileTierLevelBytes)
        return hevc_of_bytes(hevc.subspan(1));
    if (const Bytes vp = box(init, "vpcC"); vp.size() >= 7)  // after version and flags
        return print("vp09.%02u.%02u.%02u", unsigned{vp[4]}, unsigned{vp[5]}, vp[6] >> 4 & 0xfU);
    if (const Bytes av1 = box(init, "av1C"); av1.size() >= 3)
        return av1_of_bytes(av1);
    return {};
}

std::string join_codecs(const std::string& video, const std::string& audio) {
    return video.empty() || audio.empty() ? video + audio : video + "," + audio;
}

}  // namespace millrace::media
