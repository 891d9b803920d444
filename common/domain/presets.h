#pragma once
// How much an encoder may search, by two families of names that mean about the same: x264's, which the
// CPU's encoders go by, and NVENC's. A ladder may use either; whoever encodes takes its own.
//
// Thread: any; values.

#include <algorithm>
#include <array>
#include <string_view>

namespace millrace {

struct Preset {
    std::string_view name;  // in a ladder
    std::string_view cpu;   // x264's
    std::string_view gpu;   // NVENC's
};
inline constexpr std::array kPresets{Preset{"ultrafast", "ultrafast", "p1"},
                                     Preset{"superfast", "superfast", "p2"},
                                     Preset{"veryfast", "veryfast", "p4"},
                                     Preset{"faster", "faster", "p4"},
                                     Preset{"fast", "fast", "p5"},
                                     Preset{"medium", "medium", "p5"},
                                     Preset{"slow", "slow", "p6"},
                                     Preset{"slower", "slower", "p7"},
                                     Preset{"veryslow", "veryslow", "p7"},
                                     Preset{"p1", "ultrafast", "p1"},
                                     Preset{"p2", "superfast", "p2"},
                                     Preset{"p3", "superfast", "p3"},
                                     Preset{"p4", "veryfast", "p4"},
                                     Preset{"p5", "fast", "p5"},
                                     Preset{"p6", "slow", "p6"},
                                     Preset{"p7", "slower", "p7"}};
inline constexpr Preset kDefaultPreset = kPresets[2];

// Null: no encoder knows it.
[[nodiscard]] constexpr const Preset* find_preset(std::string_view name) {
    const auto* const found = std::ranges::find(kPresets, name, &Preset::name);
    return found == kPresets.end() ? nullptr : found;
}
// The default for an empty name, and for one that no encoder knows.
[[nodiscard]] constexpr const Preset& preset_or_default(std::string_view name) {
    const Preset* found = find_preset(name);
    return found == nullptr ? kDefaultPreset : *found;
}

}  // namespace millrace
