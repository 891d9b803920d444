#pragma once
// Small clips to try decoders with: three pictures of 160x160, 8 bits in 4:2:0, one key frame and two
// that need it, as every decoder unit of a GPU takes them (NVDEC wants at least 144x144 of HEVC). A
// gradient, made by FFmpeg's `gradients` source and its software encoders.
//
// Thread: any.

#include <cstdint>
#include <string_view>
#include <vector>

#include "transcoder/media/av.h"

namespace millrace::media {

struct GpuClip {
    AVCodecID codec;
    std::vector<std::string_view> packets;  // hex
};

[[nodiscard]] const std::vector<GpuClip>& gpu_clips();
// With the padding that decoders read beyond the end.
[[nodiscard]] std::vector<std::uint8_t> bytes_of(std::string_view packet);

}  // namespace millrace::media
