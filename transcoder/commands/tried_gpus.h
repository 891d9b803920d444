#pragma once
// The GPUs of this machine as the driver lists them, each tried; what `devices` and its self-test start with.
//
// Thread: the caller's.

#include <functional>
#include <string>
#include <vector>

#include "transcoder/gpu/gpu_stock.h"
#include "transcoder/gpu/nvml.h"

namespace millrace::transcoder {

struct TriedGpus {
    std::string driver;
    std::vector<gpu::Reading> list;
    gpu::Stock stock;     // the same, tried
    std::string missing;  // why there is no driver to ask
};

// One after the other: they would hold each other up. `attempt`: the GPU, and how many there are.
[[nodiscard]] TriedGpus try_gpus(
    const std::function<gpu::Trial(const gpu::Chosen& gpu, std::size_t of)>& attempt);

// A line for each stage, its kind `width` columns wide.
void print_stages(const gpu::GpuRecord& record);

}  // namespace millrace::transcoder
