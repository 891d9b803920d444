#include "transcoder/media/colour.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace millrace::media {
namespace {

// The largest pictures of standard definition: 720x576.
constexpr int kSdWidthMax = 1024;  // 576 lines of square pixels
constexpr int kSdHeightMax = 576;
constexpr double kSdrWhite = 100.0;  // cd/m2, what zscale's npl counts from
constexpr double kPeakUnknown = 1000.0 / kSdrWhite;
constexpr double kPeakMax = 10'000.0 / kSdrWhite;  // PQ ends there
constexpr std::array kMastering{AV_FRAME_DATA_MASTERING_DISPLAY_METADATA,
                                AV_FRAME_DATA_CONTENT_LIGHT_LEVEL};
constexpr double kChromaUnits = 50'000.0;
constexpr double kLightUnits = 10'000.0;
constexpr double kLightMax = 10'000.0;  // cd/m2
constexpr unsigned kLightLevelMax = 65'535;

bool is_rgb(const AVFrame& picture) {
    const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(picture.format));
    return d != nullptr && (d->flags & AV_PIX_FMT_FLAG_RGB) != 0;
}

bool is_hdr(AVColorTransferCharacteristic transfer) {
    return transfer == AVCOL_TRC_SMPTE2084 || transfer == AVCOL_TRC_ARIB_STD_B67;
}

template <class T>
const T* told(const AVFrame& picture, AVFrameSideDataType type) {
    const AVFrameSideData* side = av_frame_get_side_data(&picture, type);
    return side == nullptr ? nullptr : reinterpret_cast<const T*>(side->data);
}
const AVMasteringDisplayMetadata* display_of(const AVFrame& picture) {
    return told<AVMasteringDisplayMetadata>(picture, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA);
}
const AVContentLightMetadata* light_of(const AVFrame& picture) {
    return told<AVContentLightMetadata>(picture, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL);
}

template <class T>
void tell(AVStream& stream, AVPacketSideDataType type, const T& told) {
    std::uint8_t* to = av_stream_new_side_data(&stream, type, sizeof told);
    MR_CHECK(to != nullptr, "out of memory");
    std::memcpy(to, &told, sizeof told);
}

void drop_mastering(AVFrame& picture) {
    for (const AVFrameSideDataType type : kMastering)
        av_frame_remove_side_data(&picture, type);
}

// In multiples of SDR white, from what the mastering says about itself (CTA-861.3, SMPTE 2086).
double peak_of(const AVFrame& source) {
    double peak = 0;
    if (const auto* light = light_of(source))
        peak = light->MaxCLL / kSdrWhite;
    const auto* display = display_of(source);
    if (peak <= 0 && display != nullptr && display->has_luminance != 0 &&
        display->max_luminance.den != 0)
        peak = av_q2d(display->max_luminance) / kSdrWhite;
    return peak > 1.0 ? std::min(peak, kPeakMax) : kPeakUnknown;
}

std::string recipe(const AVFrame& source, const Colour& from, AVPixelFormat to) {
    const std::string last = std::string("format=") + av_get_pix_fmt_name(to);
    if (!is_hdr(from.transfer))
        return "zscale=p=bt709:t=bt709:m=bt709:r=limited," + last;
    return "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,"
           "tonemap=tonemap=hable:desat=0:peak=" +
           std::to_string(peak_of(source)) + ",zscale=t=bt709:m=bt709:r=limited," + last;
}

}  // namespace

Colour colour_of(const AVFrame& picture) {
    Colour colour{picture.color_primaries, picture.color_trc, picture.colorspace};
    if (is_rgb(picture) || colour.matrix == AVCOL_SPC_RGB || colour.matrix == AVCOL_SPC_RESERVED)
        colour.matrix = AVCOL_SPC_UNSPECIFIED;
    if (colour.primaries == AVCOL_PRI_RESERVED || colour.primaries == AVCOL_PRI_RESERVED0)
        colour.primaries = AVCOL_PRI_UNSPECIFIED;
    if (colour.transfer == AVCOL_TRC_RESERVED || colour.transfer == AVCOL_TRC_RESERVED0)
        colour.transfer = AVCOL_TRC_UNSPECIFIED;
    const bool wide = is_hdr(colour.transfer) || colour.primaries == AVCOL_PRI_BT2020;
    const bool sd = picture.height <= kSdHeightMax && picture.width <= kSdWidthMax;
    const bool lines_625 = picture.height == 576 || picture.height == 288;
    if (colour.matrix == AVCOL_SPC_UNSPECIFIED)
        colour.matrix = wide ? AVCOL_SPC_BT2020_NCL
                        : sd ? (lines_625 ? AVCOL_SPC_BT470BG : AVCOL_SPC_SMPTE170M)
                             : AVCOL_SPC_BT709;
    if (colour.primaries == AVCOL_PRI_UNSPECIFIED)
        colour.primaries = wide || colour.matrix == AVCOL_SPC_BT2020_NCL ? AVCOL_PRI_BT2020
                           : colour.matrix == AVCOL_SPC_BT470BG          ? AVCOL_PRI_BT470BG
                           : colour.matrix == AVCOL_SPC_SMPTE170M        ? AVCOL_PRI_SMPTE170M
                                                                         : AVCOL_PRI_BT709;
    if (colour.transfer == AVCOL_TRC_UNSPECIFIED)
        colour.transfer =
            colour.matrix == AVCOL_SPC_SMPTE170M ? AVCOL_TRC_SMPTE170M : AVCOL_TRC_BT709;
    return colour;
}

bool needs_tone_map(const Colour& colour) {
    return is_hdr(colour.transfer) || colour.primaries == AVCOL_PRI_BT2020 ||
           colour.matrix == AVCOL_SPC_BT2020_NCL || colour.matrix == AVCOL_SPC_BT2020_CL;
}

Colour sdr() {
    return {AVCOL_PRI_BT709, AVCOL_TRC_BT709, AVCOL_SPC_BT709};
}

void tag(AVFrame& picture, const Colour& colour) {
    picture.color_primaries = colour.primaries;
    picture.color_trc = colour.transfer;
    picture.colorspace = colour.matrix;
    picture.color_range = AVCOL_RANGE_MPEG;
}

void copy_mastering(AVFrame& picture, const AVFrame& source) {
    for (const AVFrameSideDataType type : kMastering) {
        const AVFrameSideData* from = av_frame_get_side_data(&source, type);
        if (from == nullptr)
            continue;
        AVFrameSideData* to = av_frame_new_side_data(&picture, type, from->size);
        MR_CHECK(to != nullptr, "out of memory");
        std::copy_n(from->data, from->size, to->data);
    }
}

std::string mastering_display(const AVFrame& picture) {
    const auto* display = display_of(picture);
    if (display == nullptr || display->has_primaries == 0 || display->has_luminance == 0)
        return {};
    bool sound = true;
    const auto in_units = [&sound](AVRational value, double most, double units) {
        const double number = value.den == 0 ? -1.0 : av_q2d(value);
        sound = sound && number >= 0 && number <= most;
        return sound ? std::to_string(std::llround(number * units)) : std::string("0");
    };
    const auto point = [&](const char* name, const AVRational(&at)[2]) {
        return name + ("(" + in_units(at[0], 1.0, kChromaUnits)) + "," +
               in_units(at[1], 1.0, kChromaUnits) + ")";
    };
    const std::string text =
        point("G", display->display_primaries[1]) + point("B", display->display_primaries[2]) +
        point("R", display->display_primaries[0]) + point("WP", display->white_point) + "L(" +
        in_units(display->max_luminance, kLightMax, kLightUnits) + "," +
        in_units(display->min_luminance, kLightMax, kLightUnits) + ")";
    return sound && av_cmp_q(display->max_luminance, display->min_luminance) > 0 ? text
                                                                                 : std::string();
}

std::string content_light(const AVFrame& picture) {
    const auto* light = light_of(picture);
    if (light == nullptr || light->MaxCLL == 0 || light->MaxCLL > kLightLevelMax ||
        light->MaxFALL > kLightLevelMax)
        return {};
    return std::to_string(light->MaxCLL) + "," + std::to_string(light->MaxFALL);
}

void tell_mastering(AVStream& stream, const AVFrame& picture) {
    if (!mastering_display(picture).empty())
        tell(stream, AV_PKT_DATA_MASTERING_DISPLAY_METADATA, *display_of(picture));
    if (!content_light(picture).empty())
        tell(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, *light_of(picture));
}

Result<av::FramePtr> ToneMap::apply(const AVFrame& picture, const AVFrame& source) {
    const Colour from = colour_of(source);
    const av::FramePtr tagged = av::share(picture);
    tag(*tagged, from);
    if (std::string now = recipe(source, from, to_);
        !chain_ || !chain_->takes(*tagged) || now != recipe_) {
        recipe_ = std::move(now);
        auto chain = FilterChain::open(*tagged, recipe_);
        if (!chain)
            return chain.error();
        chain_.emplace(std::move(*chain));
    }
    MR_TRY(chain_->push(*tagged));
    auto mapped = chain_->pull();
    if (!mapped)
        return mapped.error();
    if (*mapped == nullptr)
        return error(ErrorKind::internal, "the tone map gave no picture");
    tag(**mapped, sdr());
    (*mapped)->sample_aspect_ratio = {1, 1};
    drop_mastering(**mapped);  // it describes what was there before
    return mapped;
}

}  // namespace millrace::media
