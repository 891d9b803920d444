#include "common/domain/capacity.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "common/domain/presets.h"

namespace millrace {
namespace {

// Keep sums of products below 2^63, whatever anybody claims.
constexpr std::int64_t kPixelsMax =
    1'000'000'000'000;                         // pixels/s: a hundred thousand streams of 4K
constexpr std::int64_t kPriceMax = 1'000'000;  // ps: a microsecond for a pixel
constexpr std::int64_t kRenditionsCounted = 8;

struct Effort {
    VideoCodec codec;
    std::string_view preset;
    std::int64_t permille;
};
constexpr std::int64_t kEffortUnknown = 1000;
// 640x360 at 29.97/s of a natural clip (bees), quality alone, CPU of the whole process less decoding and scaling, one
// run on a Zen 4. How hard a picture is moves them by a third and more: x264's slower presets gain less on a cartoon.
constexpr std::array kEfforts{
    Effort{VideoCodec::h264, "ultrafast", 280},   Effort{VideoCodec::h264, "superfast", 520},
    Effort{VideoCodec::h264, "veryfast", 1000},   Effort{VideoCodec::h264, "faster", 1650},
    Effort{VideoCodec::h264, "fast", 2150},       Effort{VideoCodec::h264, "medium", 2600},
    Effort{VideoCodec::h264, "slow", 3600},       Effort{VideoCodec::h264, "slower", 7200},
    Effort{VideoCodec::h264, "veryslow", 14'500}, Effort{VideoCodec::hevc, "ultrafast", 1600},
    Effort{VideoCodec::hevc, "superfast", 2600},  Effort{VideoCodec::hevc, "veryfast", 3300},
    Effort{VideoCodec::hevc, "faster", 3400},     Effort{VideoCodec::hevc, "fast", 4400},
    Effort{VideoCodec::hevc, "medium", 4600},     Effort{VideoCodec::hevc, "slow", 14'000},
    Effort{VideoCodec::hevc, "slower", 57'000},   Effort{VideoCodec::hevc, "veryslow", 99'000},
    Effort{VideoCodec::vp9, "ultrafast", 830},    Effort{VideoCodec::vp9, "superfast", 1000},
    Effort{VideoCodec::vp9, "veryfast", 1100},    Effort{VideoCodec::vp9, "faster", 4700},
    Effort{VideoCodec::vp9, "fast", 4900},        Effort{VideoCodec::vp9, "medium", 5500},
    Effort{VideoCodec::vp9, "slow", 8900},        Effort{VideoCodec::vp9, "slower", 13'000},
    Effort{VideoCodec::vp9, "veryslow", 31'000},  Effort{VideoCodec::av1, "ultrafast", 1850},
    Effort{VideoCodec::av1, "superfast", 1850},   Effort{VideoCodec::av1, "veryfast", 2350},
    Effort{VideoCodec::av1, "faster", 2350},      Effort{VideoCodec::av1, "fast", 6300},
    Effort{VideoCodec::av1, "medium", 6300},      Effort{VideoCodec::av1, "slow", 12'300},
    Effort{VideoCodec::av1, "slower", 12'300},    Effort{VideoCodec::av1, "veryslow", 12'300},
};

template <class T>
bool offers(const std::vector<T>& list, T wanted) {
    return std::find(list.begin(), list.end(), wanted) != list.end();
}

void add_once(std::vector<std::string>& list, std::string item) {
    if (std::find(list.begin(), list.end(), item) == list.end())
        list.push_back(std::move(item));
}

}  // namespace

Cost operator+(const Cost& a, const Cost& b) {
    return {a.decode_pixels + b.decode_pixels,       a.encode_pixels + b.encode_pixels,
            a.encoder_sessions + b.encoder_sessions, a.bytes + b.bytes,
            a.scale_pixels + b.scale_pixels,         a.encode_work + b.encode_work};
}

Cost operator-(const Cost& a, const Cost& b) {
    return {a.decode_pixels - b.decode_pixels,       a.encode_pixels - b.encode_pixels,
            a.encoder_sessions - b.encoder_sessions, a.bytes - b.bytes,
            a.scale_pixels - b.scale_pixels,         a.encode_work - b.encode_work};
}

std::int64_t encode_effort(const RenditionSpec& spec) {
    const auto same = [&spec](const Effort& one) {
        return one.codec == spec.codec && one.preset == preset_or_default(spec.preset).cpu;
    };
    const auto found = std::ranges::find_if(kEfforts, same);
    return found == kEfforts.end() ? kEffortUnknown : found->permille;
}

Cost completed(Cost told) {
    if (told.encode_work == 0)
        told.encode_work = told.encode_pixels;
    if (told.scale_pixels == 0)
        told.scale_pixels = std::min(told.decode_pixels, kPixelsMax) *
                            std::clamp<std::int64_t>(told.encoder_sessions, 0, kRenditionsCounted);
    return told;
}

std::int64_t cpu_of(const Cost& cost, const CpuBudget& prices) {
    const auto price = [](std::int64_t pixels, std::int64_t each) {
        return std::clamp<std::int64_t>(pixels, 0, kPixelsMax) *
               std::clamp<std::int64_t>(each, 0, kPriceMax);
    };
    return price(cost.decode_pixels, prices.decode) + price(cost.scale_pixels, prices.scale) +
           price(cost.encode_work, prices.encode);
}

std::array<Dimension, 5> dimensions(const Cost& need, const Cost& load, const Capacity& capacity) {
    const Cost& most = capacity.limits;
    const CpuBudget& cpu = capacity.cpu;
    return {{{most.decode_pixels, load.decode_pixels, need.decode_pixels},
             {most.encode_pixels, load.encode_pixels, need.encode_pixels},
             {most.encoder_sessions, load.encoder_sessions, need.encoder_sessions},
             {most.bytes, load.bytes, need.bytes},
             {cpu.available, cpu_of(load, cpu), cpu_of(need, cpu)}}};
}

bool fits(const Cost& need, const Cost& load, const Capacity& capacity) {
    return std::ranges::all_of(dimensions(need, load, capacity), [](const Dimension& d) {
        return d.capacity == 0 || d.need <= d.capacity - d.load;
    });
}

bool takes(const Cost& need, const Cost& load, const Capacity& capacity) {
    return load == Cost{} || fits(need, load, capacity);
}

Cost all_of(const Capacity& capacity) {
    Cost all = capacity.limits;
    if (capacity.cpu.available > 0 && capacity.cpu.encode > 0)
        all.encode_work = std::min(capacity.cpu.available / capacity.cpu.encode + 1, kPixelsMax);
    return all;
}

std::vector<std::string> missing_for(const Ladder& ladder, const Capabilities& offered) {
    std::vector<std::string> missing;
    for (const RenditionSpec& spec : ladder) {
        if (!offers(offered.encode, spec.codec))
            add_once(missing, std::string(to_string(spec.codec)) + " encoder");
        if (!offers(offered.containers_out, spec.container))
            add_once(missing, std::string(to_string(spec.container)) + " muxer");
        if (spec.audio.mode == AudioMode::encode && !offers(offered.audio_encode, spec.audio.codec))
            add_once(missing, std::string(to_string(spec.audio.codec)) + " encoder");
        if (spec.color_depth > offered.color_depth_max)
            add_once(missing, std::to_string(spec.color_depth) + "-bit encoding");
    }
    return missing;
}

}  // namespace millrace
