#pragma once
// What a self-test adds to a trial: our kernel beside the host, and whole segments decoded by the GPU
// beside the CPU's. Byte for byte both.
//
// A stage for which something is missing that is told elsewhere has a reason that begins with
// kNotTried: it says nothing about the card.
//
// Thread: main of a child process of a trial, behind media::probe_gpu().

#include <string_view>

#include "transcoder/media/gpu_probe.h"

namespace millrace::gpu {

inline constexpr std::string_view kNotTried = "not tried: ";

// `found`: by the trial before.
void self_test(const media::GpuStages& found, const media::GpuProbeListener& listener);

}  // namespace millrace::gpu
