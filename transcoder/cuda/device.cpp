#include "transcoder/cuda/device.h"

#include <array>
#include <cstdlib>
#include <utility>

#include "common/base/check.h"
#include "transcoder/cuda/kernel_image.h"
#include "transcoder/cuda/scale_launch.h"

namespace millrace::cuda {

Device::Current::Current(const Device& device)
    : device_(device), pushed_(device.driver_.push(device.context_) == 0) {}

Device::Current::~Current() {
    void* popped = nullptr;
    if (pushed_)
        device_.driver_.pop(&popped);
}

Result<std::shared_ptr<Device>> Device::open() {
    if (kernel_image().empty())
        return error(ErrorKind::unsupported,
                     "this build has no CUDA kernels: no toolkit was found");
    const auto driver = Driver::get();
    if (!driver)
        return driver.error();
    std::shared_ptr<Device> device(new Device(**driver));
    MR_TRY(device->retain());
    MR_TRY(device->load_kernel());
    return device;
}

Result<void> Device::retain() {
    int ordinal = 0;
    MR_TRY(driver_.checked("cuInit", driver_.init(0)));
    MR_TRY(driver_.checked("cuDeviceGet", driver_.device_get(&ordinal, 0)));
    std::array<char, 128> name{};
    MR_TRY(driver_.checked(
        "cuDeviceGetName",
        driver_.device_name(name.data(), static_cast<int>(name.size()) - 1, ordinal)));
    name_ = name.data();
    return driver_.checked("cuDevicePrimaryCtxRetain", driver_.retain_context(&context_, ordinal));
}

Result<void> Device::load_kernel() {
    const Current current(*this);
    MR_TRY(driver_.checked("loading our kernel",
                           driver_.load_module(&module_, kernel_image().data())));
    return driver_.checked("finding our kernel",
                           driver_.get_function(&kernel_, module_, kKernelName));
}

Device::~Device() {
    if (context_ == nullptr)
        return;
    if (module_ != nullptr) {
        const Current current(*this);
        driver_.unload_module(module_);
    }
    driver_.release_context(0);
}

Result<void> Device::wait() {
    const Current current(*this);
    return driver_.checked("waiting for the GPU", driver_.synchronize(nullptr));
}

// ---- memory

Result<DeviceBuffer> DeviceBuffer::make(std::shared_ptr<Device> device, std::size_t bytes) {
    const Device::Current current(*device);
    DevicePointer made = 0;
    MR_TRY(device->driver().checked("cuMemAlloc", device->driver().allocate(&made, bytes)));
    return DeviceBuffer(std::move(device), reinterpret_cast<std::uint8_t*>(made), bytes);
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : device_(std::move(other.device_)),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

DeviceBuffer::~DeviceBuffer() {
    if (data_ == nullptr)
        return;
    const Device::Current current(*device_);
    device_->driver().free(reinterpret_cast<DevicePointer>(data_));
}

Result<void> DeviceBuffer::upload(std::span<const std::uint8_t> from) {
    MR_CHECK(from.size() <= bytes_, "more than the buffer holds");
    const Device::Current current(*device_);
    const Driver& driver = device_->driver();
    return driver.checked(
        "copying to the GPU",
        driver.to_device(reinterpret_cast<DevicePointer>(data_), from.data(), from.size()));
}

Result<void> DeviceBuffer::download(std::span<std::uint8_t> to) const {
    MR_TRY(enqueue_download(to));
    return device_->wait();
}

Result<void> DeviceBuffer::enqueue_download(std::span<std::uint8_t> to) const {
    MR_CHECK(to.size() <= bytes_, "more than the buffer holds");
    const Device::Current current(*device_);
    const Driver& driver = device_->driver();
    return driver.checked(
        "copying from the GPU",
        driver.to_host(to.data(), reinterpret_cast<DevicePointer>(data_), to.size(), nullptr));
}

HostBuffer::HostBuffer(std::shared_ptr<Device> device, std::size_t bytes)
    : device_(std::move(device)), bytes_(bytes) {
    const Device::Current current(*device_);
    void* data = nullptr;
    pinned_ = device_->driver().allocate_host(&data, bytes, 0) == 0 && data != nullptr;
    if (!pinned_)
        data = std::malloc(bytes);
    MR_CHECK(data != nullptr, "out of memory for pictures");
    data_ = static_cast<std::uint8_t*>(data);
}

HostBuffer::~HostBuffer() {
    if (!pinned_) {
        std::free(data_);
        return;
    }
    const Device::Current current(*device_);
    device_->driver().free_host(data_);
}

}  // namespace millrace::cuda
