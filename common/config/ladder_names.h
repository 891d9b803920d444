#pragma once
// The words of the ladder dialect, shared by its reader and its writer. Internal to common/config.

#include <array>
#include <string_view>
#include <utility>

#include "common/domain/rendition.h"

namespace millrace::config {

template <class T, std::size_t N>
using Words = std::array<std::pair<std::string_view, T>, N>;

// The first word of a value is the one that is written.
inline constexpr Words<VideoCodec, 9> kEncoderWords{{{"H.264", VideoCodec::h264},
                                                     {"HEVC", VideoCodec::hevc},
                                                     {"VP9", VideoCodec::vp9},
                                                     {"AV1", VideoCodec::av1},
                                                     {"VP8", VideoCodec::vp8},
                                                     {"H264", VideoCodec::h264},
                                                     {"H.265", VideoCodec::hevc},
                                                     {"H265", VideoCodec::hevc},
                                                     {"", VideoCodec::h264}}};
inline constexpr Words<VideoProfile, 6> kProfileWords{
    {{"None", VideoProfile::automatic},
     {"H264Baseline", VideoProfile::baseline},
     {"H264Main", VideoProfile::main},
     {"H264High", VideoProfile::high},
     {"H264ConstrainedHigh", VideoProfile::constrained_high},
     {"", VideoProfile::automatic}}};
inline constexpr Words<Container, 2> kContainerWords{
    {{"mpegts", Container::mpegts}, {"mp4", Container::mp4}}};
inline constexpr Words<AudioCodec, 2> kAudioCodecWords{
    {{"aac", AudioCodec::aac}, {"opus", AudioCodec::opus}}};
inline constexpr Words<Upscale, 2> kUpscaleWords{
    {{"never", Upscale::never}, {"allow", Upscale::allow}}};
inline constexpr Words<Bypass, 2> kBypassWords{
    {{"never", Bypass::never}, {"if-fits", Bypass::if_fits}}};
inline constexpr Words<DataStreams, 2> kDataWords{
    {{"pass", DataStreams::pass}, {"drop", DataStreams::drop}}};
inline constexpr Words<Scaling, 2> kScalingWords{
    {{"direct", Scaling::direct}, {"cascaded", Scaling::cascaded}}};
inline constexpr std::array<std::string_view, 16> kPresetWords{
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower",
    "veryslow",  "p1",        "p2",       "p3",     "p4",   "p5",     "p6",   "p7"};

template <class T, std::size_t N>
std::string_view word_of(const Words<T, N>& words, T value) {
    for (const auto& [word, meaning] : words)
        if (meaning == value)
            return word;
    return {};
}

}  // namespace millrace::config
