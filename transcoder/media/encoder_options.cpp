#include "transcoder/media/encoder_options.h"

#include <algorithm>
#include <array>
#include <string>

#include "common/domain/presets.h"

namespace millrace::media {
namespace {

constexpr int kKeyIntervalNever = 1 << 30;  // X264_KEYINT_MAX_INFINITE: only where we ask
constexpr Rational kRateOfUneven{30, 1};    // a hint for levels and rate control, nothing more

// Speeds of libvpx and libaom by x264's names for them. libaom is always used in its real-time
// mode, whose slowest useful speed is 5.
struct Speed {
    std::string_view preset;
    const char* vpx_deadline;
    int vpx;
    int aom;
};
constexpr std::array<Speed, 9> kSpeeds{{{"ultrafast", "realtime", 8, 8},
                                        {"superfast", "realtime", 7, 8},
                                        {"veryfast", "realtime", 6, 7},
                                        {"faster", "good", 5, 7},
                                        {"fast", "good", 4, 6},
                                        {"medium", "good", 3, 6},
                                        {"slow", "good", 2, 5},
                                        {"slower", "good", 1, 5},
                                        {"veryslow", "good", 0, 5}}};

// libx264's macroblock tree (164) reads memory nobody has written where it uses AVX-512: pictures of 160 and 320
// columns came out otherwise with other bytes in it. With AVX2 at most they do not, and wider ones are the same.
// Only named where the CPU has more: what is named is used, whether the CPU has it or not.
bool has_avx512() {
#ifdef __x86_64__
    return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx2") != 0;
#else
    return false;
#endif
}

std::string preset_of(const RenditionSpec& spec) {
    return std::string(preset_or_default(spec.preset).cpu);
}

const Speed& speed_of(const RenditionSpec& spec) {
    const std::string preset = preset_of(spec);
    const auto* const found = std::ranges::find(kSpeeds, std::string_view(preset), &Speed::preset);
    return found == kSpeeds.end() ? kSpeeds[2] : *found;
}

// Where neither bitrate nor quality is given: what each encoder's makers call a fair middle.
int crf_of(const RenditionSpec& spec) {
    if (spec.quality > 0)
        return spec.quality;
    switch (spec.codec) {
        case VideoCodec::h264:
            return 23;
        case VideoCodec::hevc:
            return 28;
        default:
            return 35;
    }
}

bool is_constant_bitrate(const RenditionSpec& spec) {
    return spec.bitrate > 0 && spec.quality <= 0;
}

// x264's names; x265 takes the same. Its own defaults are those of veryfast and friends.
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
    const Rational framerate = told_rate(rate);
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

// A constant bitrate may vary within a second, a ceiling within two.
void set_bitrate(AVCodecContext& context, const RenditionSpec& spec) {
    if (spec.bitrate <= 0)
        return;
    const bool constant = is_constant_bitrate(spec);
    context.rc_max_rate = spec.bitrate;
    context.rc_buffer_size = static_cast<int>(
        std::min<std::int64_t>(constant ? spec.bitrate : 2 * spec.bitrate, 1 << 30));
    if (constant) {
        context.bit_rate = spec.bitrate;
        context.rc_min_rate = spec.bitrate;
    }
}

// What players tone-map HDR by. FFmpeg 5.1 tells neither encoder of it.
std::string mastering_params(const AVFrame& like, const char* display_name,
                             const char* light_name) {
    const std::string display = mastering_display(like);
    const std::string light = content_light(like);
    return (display.empty() ? "" : ":" + std::string(display_name) + "=" + display) +
           (light.empty() ? "" : ":" + std::string(light_name) + "=" + light);
}

void set_x264(const EncoderSettings& settings, AVCodecContext& context, av::Options& options) {
    const RenditionSpec& spec = *settings.spec;
    options.set("preset", preset_of(spec)).set("forced-idr", 1);
    options.set("a53cc", settings.captions ? 1 : 0);
    // The muxer would add them to MPEG-TS, behind the rate control's back.
    options.set("aud", settings.headers_apart ? 0 : 1);
    // Headers from settings, not from content.
    options.set("x264-params", (has_avx512() ? "stitchable=1:asm=avx2" : "stitchable=1") +
                                   mastering_params(*settings.like, "mastering-display", "cll"));
    if (const char* profile = profile_name(spec.profile); profile != nullptr)
        options.set("profile", profile);
    if (!is_constant_bitrate(spec))
        options.set("crf", crf_of(spec));
    // Scene cuts become plain I frames, never IDR: those stay where all renditions have them.
    context.gop_size = spec.gop_ms == kGopIntra ? 1 : kKeyIntervalNever;
    context.keyint_min = spec.gop_ms == kGopIntra ? 1 : kKeyIntervalNever / 2;
    if (spec.profile == VideoProfile::baseline || spec.profile == VideoProfile::constrained_high)
        context.max_b_frames = 0;
}

// The same for H.264 and HEVC. CQ is a quality with a ceiling; FFmpeg drops the buffer's size then.
void set_nvenc(const EncoderSettings& settings, AVCodecContext& context, av::Options& options) {
    const RenditionSpec& spec = *settings.spec;
    options.set("preset", std::string(preset_or_default(spec.preset).gpu)).set("tune", "hq");
    options.set("forced-idr", 1).set("no-scenecut", 1);
    options.set("a53cc", settings.captions ? 1 : 0);
    options.set("aud", settings.headers_apart ? 0 : 1);
    if (is_constant_bitrate(spec))
        options.set("rc", "cbr");
    else
        options.set("rc", "vbr").set("cq", crf_of(spec));
    if (const char* profile = profile_name(spec.profile); profile != nullptr)
        options.set("profile", profile);
    else
        options.set("profile", spec.codec == VideoCodec::h264 ? "high" : "main");
    context.gop_size = spec.gop_ms == kGopIntra ? 0 : kKeyIntervalNever;
    context.max_b_frames = 0;
}

// libx265's smallest coding tree unit; no side of a picture may be shorter.
constexpr int kSmallestBlockX265 = 16;
constexpr int kBlockX265 = 32;  // of its faster presets
// Its "cutree" (3.5) writes behind its buffers where less than four blocks of 16 pixels stand side by side.
constexpr int kTreeWidthX265 = 64;

void set_x265(const EncoderSettings& settings, AVCodecContext& context, av::Options& options) {
    const RenditionSpec& spec = *settings.spec;
    const Size size = settings.shape.size;
    const std::string low = std::min(size.width, size.height) < kBlockX265 ? "ctu=16:" : "";
    const std::string narrow = size.width < kTreeWidthX265 ? "cutree=0:" : "";
    options.set("preset", preset_of(spec)).set("forced-idr", 1);
    if (!is_constant_bitrate(spec))
        options.set("crf", crf_of(spec));
    context.gop_size = -1;  // said below
    context.keyint_min = -1;
    // All-intra by asking for each picture: told beforehand, x265 would name a profile that few
    // players take.
    options.set("x265-params",
                std::string("log-level=none:info=0:open-gop=0:keyint=-1:min-keyint=1000000:") +
                    low + narrow + "pools=none" +
                    mastering_params(*settings.like, "master-display", "max-cll"));
}

// libvpx and libaom have their options in common: CQ is a quality with a ceiling.
void set_aom_family(const EncoderSettings& settings, AVCodecContext& context,
                    av::Options& options) {
    const RenditionSpec& spec = *settings.spec;
    if (!is_constant_bitrate(spec)) {
        options.set("crf", crf_of(spec));
        context.bit_rate = spec.bitrate;  // 0: no ceiling
        context.rc_max_rate = 0;
        context.rc_buffer_size = 0;
    }
    context.gop_size = spec.gop_ms == kGopIntra ? 0 : kKeyIntervalNever;
    context.keyint_min = context.gop_size;  // equal: no key frames of its own choice
    context.thread_count = settings.threads;
    options.set("row-mt", 0);  // with it, the bytes depend on the number of threads
}

void set_vpx(const EncoderSettings& settings, AVCodecContext& context, av::Options& options) {
    const Speed& speed = speed_of(*settings.spec);
    options.set("deadline", speed.vpx_deadline).set("cpu-used", speed.vpx);
    set_aom_family(settings, context, options);
}

void set_aom(const EncoderSettings& settings, AVCodecContext& context, av::Options& options) {
    options.set("usage", "realtime").set("cpu-used", speed_of(*settings.spec).aom);
    set_aom_family(settings, context, options);
}

}  // namespace

Rational told_rate(const NominalRate& rate) {
    return rate.constant ? rate.rate : kRateOfUneven;
}

std::int32_t least_side(VideoCodec codec) {
    return codec == VideoCodec::hevc ? kSmallestBlockX265 : 2;
}

const char* encoder_name(VideoCodec codec) {
    switch (codec) {
        case VideoCodec::h264:
            return "libx264";
        case VideoCodec::hevc:
            return "libx265";
        case VideoCodec::vp9:
            return "libvpx-vp9";
        case VideoCodec::av1:
            return "libaom-av1";
        default:
            return nullptr;
    }
}

void apply(const EncoderSettings& settings, AVCodecContext& context, av::Options& options) {
    context.width = settings.shape.size.width;
    context.height = settings.shape.size.height;
    context.pix_fmt = settings.gpu != nullptr ? AV_PIX_FMT_CUDA : settings.shape.format;
    context.sample_aspect_ratio = {1, 1};
    context.thread_count = 1;
    if (settings.headers_apart)
        context.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    set_time(context, settings.rate);
    set_colour(context, *settings.like);
    set_bitrate(context, *settings.spec);
    if (settings.gpu != nullptr)
        return set_nvenc(settings, context, options);
    switch (settings.spec->codec) {
        case VideoCodec::hevc:
            return set_x265(settings, context, options);
        case VideoCodec::vp9:
            return set_vpx(settings, context, options);
        case VideoCodec::av1:
            return set_aom(settings, context, options);
        default:
            return set_x264(settings, context, options);
    }
}

}  // namespace millrace::media
