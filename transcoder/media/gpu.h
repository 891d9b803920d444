#pragma once
// The GPU of this process while it carries sessions: FFmpeg's hold on it, our kernel on it, and what a
// trial found it to do.
//
// Thread: any. Owner: shared by the segments that are being made.

#include "transcoder/cuda/device.h"
#include "transcoder/media/cuda_device.h"
#include "transcoder/media/gpu_plan.h"

namespace millrace::media {

class Gpu {
public:
    // `kernel`: null where it cannot be launched.
    Gpu(av::BufferPtr device, std::shared_ptr<cuda::Device> kernel, GpuStages stages)
        : device_(std::move(device)), kernel_(std::move(kernel)), stages_(std::move(stages)) {}

    [[nodiscard]] AVBufferRef& device() const { return *device_; }
    [[nodiscard]] const std::shared_ptr<cuda::Device>& kernel() const { return kernel_; }
    [[nodiscard]] const GpuStages& stages() const { return stages_; }

private:
    av::BufferPtr device_;
    std::shared_ptr<cuda::Device> kernel_;
    GpuStages stages_;
};

}  // namespace millrace::media
