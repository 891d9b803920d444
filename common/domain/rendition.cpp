#include "common/domain/rendition.h"

#include <algorithm>

#include "common/base/check.h"

namespace millrace {
namespace {

struct Preset {
    std::string_view name;
    std::int32_t width, height, fps;
    std::int64_t bitrate;
};

// Names, sizes, rates and bitrates of go-livepeer's video profiles (lpms ffmpeg/videoprofile.go).
constexpr std::array<Preset, 16> kPresets{{
    {"P720p60fps16x9", 1280, 720, 60, 6'000'000},
    {"P720p30fps16x9", 1280, 720, 30, 4'000'000},
    {"P720p25fps16x9", 1280, 720, 25, 3'500'000},
    {"P720p30fps4x3", 960, 720, 30, 3'500'000},
    {"P576p30fps16x9", 1024, 576, 30, 1'500'000},
    {"P576p25fps16x9", 1024, 576, 25, 1'500'000},
    {"P360p30fps16x9", 640, 360, 30, 1'200'000},
    {"P360p25fps16x9", 640, 360, 25, 1'000'000},
    {"P360p30fps4x3", 480, 360, 30, 1'000'000},
    {"P240p30fps16x9", 426, 240, 30, 600'000},
    {"P240p25fps16x9", 426, 240, 25, 600'000},
    {"P240p30fps4x3", 320, 240, 30, 600'000},
    {"P144p30fps16x9", 256, 144, 30, 400'000},
    {"P144p25fps16x9", 256, 144, 25, 400'000},
    {"P1080p30fps16x9", 1920, 1080, 30, 6'000'000},
    {"P1080p60fps16x9", 1920, 1080, 60, 9'000'000},
}};

// CRF of our presets; the bitrate above is the ceiling.
constexpr std::int32_t kPresetQuality = 23;

std::int32_t even(std::int64_t numerator, std::int64_t denominator) {
    const std::int64_t halves = (numerator + denominator) / (2 * denominator);  // rounds to nearest
    return static_cast<std::int32_t>(std::max<std::int64_t>(1, halves) * 2);
}

}  // namespace

std::string_view to_string(VideoCodec codec) {
    static constexpr std::array<std::string_view, 8> kNames{"none", "h264", "hevc",  "vp8",
                                                            "vp9",  "av1",  "mpeg2", "other"};
    return kNames[std::min<std::size_t>(static_cast<std::size_t>(codec), kNames.size() - 1)];
}

std::string_view to_string(AudioCodec codec) {
    static constexpr std::array<std::string_view, 8> kNames{"none", "aac",  "ac3",    "mp2",
                                                            "mp3",  "opus", "vorbis", "other"};
    return kNames[std::min<std::size_t>(static_cast<std::size_t>(codec), kNames.size() - 1)];
}

std::string_view to_string(Container container) {
    static constexpr std::array<std::string_view, 4> kNames{"mpegts", "mp4", "matroska", "unknown"};
    return kNames[std::min<std::size_t>(static_cast<std::size_t>(container), kNames.size() - 1)];
}

std::string_view to_string(VideoProfile profile) {
    static constexpr std::array<std::string_view, 5> kNames{"automatic", "baseline", "main", "high",
                                                            "constrained_high"};
    return kNames[std::min<std::size_t>(static_cast<std::size_t>(profile), kNames.size() - 1)];
}

Size fit(const RenditionSpec& spec, Size source) {
    MR_CHECK(source.width > 0 && source.height > 0, "fit() of a picture without a size");
    std::int64_t box_width = spec.width;
    std::int64_t box_height = spec.height;
    if (box_width <= 0 && box_height <= 0)
        return {even(source.width, 1), even(source.height, 1)};
    const bool both = box_width > 0 && box_height > 0;
    if (both && (source.height > source.width) != (box_height > box_width))
        std::swap(box_width, box_height);
    // Compare source shape with box shape without dividing: w/h > bw/bh <=> w*bh > bw*h.
    const bool width_binds =
        both ? source.width * box_height >= box_width * source.height : box_width > 0;
    if (width_binds)
        return {even(box_width, 1), even(source.height * box_width, source.width)};
    return {even(source.width * box_height, source.height), even(box_height, 1)};
}

bool falls_away(const RenditionSpec& spec, Size source) {
    if (spec.upscale == Upscale::allow)
        return false;
    const Size size = fit(spec, source);
    // One pixel of rounding to even is not an upscale.
    return size.width > source.width + 1 || size.height > source.height + 1;
}

std::optional<RenditionSpec> preset_rendition(std::string_view name) {
    for (const Preset& preset : kPresets) {
        if (preset.name != name)
            continue;
        RenditionSpec spec;
        spec.name = std::string(name);
        spec.width = preset.width;
        spec.height = preset.height;
        spec.fps = {preset.fps, 1};
        spec.bitrate = preset.bitrate;
        spec.quality = kPresetQuality;
        spec.upscale = Upscale::never;
        return spec;
    }
    return std::nullopt;
}

std::vector<std::string_view> preset_names() {
    std::vector<std::string_view> names;
    for (const Preset& preset : kPresets)
        names.push_back(preset.name);
    return names;
}

std::string_view extension(Container container) {
    return container == Container::mp4 ? "mp4" : "ts";
}

}  // namespace millrace
