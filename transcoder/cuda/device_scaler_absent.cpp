// The device scaler of a build without the CUDA toolkit: nothing can be opened.

#include <utility>

#include "transcoder/cuda/device_scaler.h"

namespace millrace::cuda {
namespace {

Error absent() {
    return error(ErrorKind::unsupported, "this build has no CUDA kernels: no toolkit was found");
}

}  // namespace

Result<std::string> device_name() {
    return absent();
}

Result<DeviceBuffer> DeviceBuffer::make(std::size_t) {
    return absent();
}
DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
}
DeviceBuffer::~DeviceBuffer() = default;
Result<void> DeviceBuffer::upload(std::span<const std::uint8_t>) {
    return absent();
}
Result<void> DeviceBuffer::download(std::span<std::uint8_t>) const {
    return absent();
}

struct DeviceScaler::Impl {};

DeviceScaler::DeviceScaler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DeviceScaler::~DeviceScaler() = default;
Result<std::unique_ptr<DeviceScaler>> DeviceScaler::open(const ScalePlan&) {
    return absent();
}
Result<void> DeviceScaler::enqueue(const Surface&, std::span<const Surface>, void*) {
    return absent();
}
Result<void> DeviceScaler::wait(void*) {
    return absent();
}

}  // namespace millrace::cuda
