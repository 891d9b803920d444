#pragma once
// The CUDA device of this process with our kernel loaded, and memory on it.
//
// Works in the device's primary context, which is FFmpeg's, too, where it was opened with
// AV_CUDA_USE_PRIMARY_CONTEXT. Everything goes through the default stream, as FFmpeg's decoder and
// copies do: what was enqueued first is done first.
//
// Errors as driver.h has them. A build without the CUDA toolkit has no kernel; open() says so.
//
// Thread: any; each call makes the context current and takes it off again. Owner: shared by whatever lives
// on the device.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "common/base/result.h"
#include "transcoder/cuda/driver.h"

namespace millrace::cuda {

class Device {
public:
    // Device 0: which GPU that is was decided by CUDA_VISIBLE_DEVICES.
    [[nodiscard]] static Result<std::shared_ptr<Device>> open();
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const Driver& driver() const { return driver_; }
    [[nodiscard]] void* kernel() const { return kernel_; }
    // Waits until everything enqueued is done; what went wrong on the way comes out here.
    [[nodiscard]] Result<void> wait();

    // The context is the thread's as long as this lives.
    class Current {
    public:
        explicit Current(const Device& device);
        ~Current();
        Current(const Current&) = delete;
        Current& operator=(const Current&) = delete;

    private:
        const Device& device_;
        bool pushed_;
    };

private:
    explicit Device(const Driver& driver) : driver_(driver) {}
    [[nodiscard]] Result<void> retain();
    [[nodiscard]] Result<void> load_kernel();

    const Driver& driver_;
    std::string name_;
    void* context_ = nullptr;
    void* module_ = nullptr;
    void* kernel_ = nullptr;
};

// Memory on the device.
class DeviceBuffer {
public:
    [[nodiscard]] static Result<DeviceBuffer> make(std::shared_ptr<Device> device,
                                                   std::size_t bytes);
    ~DeviceBuffer();
    DeviceBuffer(DeviceBuffer&& other) noexcept;
    DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;

    // An address of the device.
    [[nodiscard]] std::uint8_t* data() const { return data_; }
    [[nodiscard]] std::size_t size() const { return bytes_; }
    // From and to the beginning; done when it returns.
    [[nodiscard]] Result<void> upload(std::span<const std::uint8_t> from);
    [[nodiscard]] Result<void> download(std::span<std::uint8_t> to) const;
    // Behind what is enqueued; `to` is filled when the device has been waited for.
    [[nodiscard]] Result<void> enqueue_download(std::span<std::uint8_t> to) const;

private:
    DeviceBuffer(std::shared_ptr<Device> device, std::uint8_t* data, std::size_t bytes)
        : device_(std::move(device)), data_(data), bytes_(bytes) {}
    std::shared_ptr<Device> device_;
    std::uint8_t* data_ = nullptr;
    std::size_t bytes_ = 0;
};

// Memory of the machine that the device copies to without a detour, where it lets us have some; plain
// memory else.
class HostBuffer {
public:
    // Ends the process where the machine has no memory left.
    HostBuffer(std::shared_ptr<Device> device, std::size_t bytes);
    ~HostBuffer();
    HostBuffer(const HostBuffer&) = delete;
    HostBuffer& operator=(const HostBuffer&) = delete;

    [[nodiscard]] std::span<std::uint8_t> bytes() const { return {data_, bytes_}; }

private:
    std::shared_ptr<Device> device_;
    std::uint8_t* data_ = nullptr;
    std::size_t bytes_;
    bool pinned_ = false;
};

}  // namespace millrace::cuda
