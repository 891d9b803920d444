#pragma once
// Our kernel: one launch reads a decoded surface and writes the surfaces of all renditions, with the
// arithmetic of scale_math.h and so the bytes of scale_on_host().
//
// Works in the CUDA runtime's context: the primary context of the device chosen on the thread, which
// is FFmpeg's too when it was opened with AV_CUDA_USE_PRIMARY_CONTEXT. A build without the CUDA
// toolkit has these functions as well; they say `unsupported`.
//
// Errors: unsupported (no driver, no device, none this build has code for), overloaded (no memory
// left on the device), device (everything else that CUDA reports: the context is lost).
//
// Thread: one at a time. Owner: whoever opened the device; destroyed while the context lives.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "common/base/result.h"
#include "transcoder/cuda/scale_plan.h"

namespace millrace::cuda {

// Whether this build can launch anything on device 0, by trying; the error says why not.
[[nodiscard]] Result<std::string> device_name();

// Memory on the device.
class DeviceBuffer {
public:
    [[nodiscard]] static Result<DeviceBuffer> make(std::size_t bytes);
    ~DeviceBuffer();
    DeviceBuffer(DeviceBuffer&& other) noexcept;
    DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;

    [[nodiscard]] std::uint8_t* data() const { return data_; }
    [[nodiscard]] std::size_t size() const { return bytes_; }
    // From and to the beginning; wait until it is done.
    [[nodiscard]] Result<void> upload(std::span<const std::uint8_t> from);
    [[nodiscard]] Result<void> download(std::span<std::uint8_t> to) const;

private:
    DeviceBuffer(std::uint8_t* data, std::size_t bytes) : data_(data), bytes_(bytes) {}
    std::uint8_t* data_ = nullptr;
    std::size_t bytes_ = 0;
};

class DeviceScaler {
public:
    // Uploads the filters of the plan.
    [[nodiscard]] static Result<std::unique_ptr<DeviceScaler>> open(const ScalePlan& plan);
    ~DeviceScaler();
    DeviceScaler(const DeviceScaler&) = delete;
    DeviceScaler& operator=(const DeviceScaler&) = delete;

    // Behind what `stream` (a cudaStream_t; null: the default one) already holds; does not wait.
    // `to`: one for each output of the plan.
    [[nodiscard]] Result<void> enqueue(const Surface& from, std::span<const Surface> to,
                                       void* stream);
    // Waits for the stream; what went wrong on it comes out here.
    [[nodiscard]] static Result<void> wait(void* stream);

private:
    struct Impl;
    explicit DeviceScaler(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::cuda
