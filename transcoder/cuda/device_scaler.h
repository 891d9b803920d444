#pragma once
// Our kernel at work: one launch reads a decoded surface and writes the surfaces of all renditions, with
// the arithmetic of scale_math.h and so the bytes of scale_on_host().
//
// Errors as driver.h has them.
//
// Thread: one at a time. Owner: whoever scales.

#include <memory>
#include <span>
#include <vector>

#include "transcoder/cuda/device.h"
#include "transcoder/cuda/scale_launch.h"
#include "transcoder/cuda/scale_plan.h"

namespace millrace::cuda {

class DeviceScaler {
public:
    // Uploads the filters of the plan.
    [[nodiscard]] static Result<std::unique_ptr<DeviceScaler>> open(std::shared_ptr<Device> device,
                                                                    const ScalePlan& plan);

    // Behind what the device already has to do; does not wait. Surfaces lie on the device. `to`: one for
    // each output of the plan.
    [[nodiscard]] Result<void> enqueue(const Surface& from, std::span<const Surface> to);

private:
    DeviceScaler(std::shared_ptr<Device> device, DeviceBuffer filters);

    std::shared_ptr<Device> device_;
    DeviceBuffer filters_;
    std::vector<ScalePlan::Plane> planes_;  // of the launch's jobs; without their filters
    std::size_t outputs_ = 0;
    Launch launch_{};
};

// Whether the device's bytes are the host's, for a picture of noise in that format and a ladder that goes
// up and down. For trials: a launch that this process has seen work is what an engine needs.
[[nodiscard]] Result<void> compare_with_host(const std::shared_ptr<Device>& device,
                                             SurfaceFormat source, Size size,
                                             std::span<const SurfaceSpec> outputs);

}  // namespace millrace::cuda
