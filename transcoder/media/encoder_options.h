#pragma once
// How a rendition spec is put to each encoder: libx264, libx265, libvpx-vp9, libaom-av1, and NVENC's.
//
// What all of them promise: key frames only where they are asked for, closed GOPs, headers that
// depend on the settings alone, and the same bytes from the same pictures, whatever `threads` says.
// libvpx and libaom keep the last one with several threads as long as only tiles are divided among
// them. libx264 and libx265 do not and always have one: with a ceiling libx264's bytes differ from
// run to run with two (measured), and without one they depend on their number.
// NVENC promises them but for the bytes, which are one card's; no B-frames, which no card was seen to make here.
// SVT-AV1 is faster than libaom but is not used: through FFmpeg 5.1 it ignores asked key frames.
//
// Thread: any; pure functions.

#include "transcoder/media/av.h"
#include "transcoder/media/gpu.h"
#include "transcoder/media/grid.h"
#include "transcoder/media/picture.h"

namespace millrace::media {

// What one rendition's encoder left behind (RenditionReport); 0 = not known.
struct RateMemory {
    std::int64_t vbv_fill_bits = 0;
    std::int32_t rate_factor_milli = 0;
};

struct EncoderSettings {
    const RenditionSpec* spec = nullptr;
    Shape shape;
    NominalRate rate;
    int threads = 1;                // where they do not change the bytes
    bool headers_apart = false;     // parameter sets in the context's extradata, not in packets
    bool captions = true;           // keep captions that ride on the pictures (H.264 only)
    const AVFrame* like = nullptr;  // a picture whose colour tags hold for all
    RateMemory before{};            // of the segment before
    const Gpu* gpu = nullptr;       // NVENC encodes; null: the CPU
};

// The rate an encoder is told: the rendition's, or a hint at uneven times.
[[nodiscard]] Rational told_rate(const NominalRate& rate);

// Name of the libavcodec encoder of the CPU that makes a codec; null = none.
[[nodiscard]] const char* encoder_name(VideoCodec codec);

// Shortest side of a picture, in pixels, that the CPU's encoder of a codec takes.
[[nodiscard]] std::int32_t least_side(VideoCodec codec);

// Fills in a fresh context and the options to open it with.
void apply(const EncoderSettings& settings, AVCodecContext& context, av::Options& options);

}  // namespace millrace::media
