#pragma once
// The GPU of this process while it carries sessions: FFmpeg's hold on it, and what a trial found it
// to do.
//
// Thread: any. Owner: shared by the segments that are being made.

#include "transcoder/media/cuda_device.h"
#include "transcoder/media/gpu_plan.h"

namespace millrace::media {

class Gpu {
public:
    Gpu(av::BufferPtr device, GpuStages stages)
        : device_(std::move(device)), stages_(std::move(stages)) {}

    [[nodiscard]] AVBufferRef& device() const { return *device_; }
    [[nodiscard]] const GpuStages& stages() const { return stages_; }

private:
    av::BufferPtr device_;
    GpuStages stages_;
};

}  // namespace millrace::media
