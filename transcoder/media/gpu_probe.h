#pragma once
// Tries what the GPU of this process can do: opens it, moves a picture, decodes a built-in clip of
// each codec and compares the pictures with the CPU's, scales, encodes a picture with each
// encoder, and opens encoders until one is refused. Names of cards say little: an H100 decodes and
// has no encoder, old cards lack codecs.
//
// A driver in trouble may hang or crash in any of these: call it in a process of its own
// (transcoder/gpu/gpu_trial.h).
//
// Thread: main, the only one; takes FFmpeg's log for itself.

#include <functional>

#include "transcoder/cuda/device.h"
#include "transcoder/media/av.h"
#include "transcoder/media/gpu_stages.h"

namespace millrace::media {

struct GpuProbeListener {
    std::function<void(const GpuStage&)> begins;  // works and reason are not known yet
    std::function<void(const GpuStage&)> tried;
};

// Ends early where the device cannot be opened.
void probe_gpu(const GpuProbeListener& listener);

// By the first of its decoders that works, so that the driver has done whatever it does at its first
// picture. In any process; what does not work shows at the next picture.
void decode_one_clip(AVBufferRef& device);

// Scales a small picture to renditions here and there, and compares them with the CPU's.
[[nodiscard]] Result<void> try_kernel(const std::shared_ptr<cuda::Device>& device);

}  // namespace millrace::media
