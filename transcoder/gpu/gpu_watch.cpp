#include "transcoder/gpu/gpu_watch.h"

#include <utility>

namespace millrace::gpu {

Watch::Watch(Result<std::unique_ptr<Nvml>> nvml, Duration every) {
    if (!nvml)
        return;
    nvml_ = std::move(*nvml);
    thread_ = std::jthread([this, every](const std::stop_token& stop) { watch(stop, every); });
}

Watch::~Watch() = default;

void Watch::watch(const std::stop_token& stop, Duration every) {
    while (!stop.stop_requested()) {
        std::vector<Reading> now = nvml_->read();
        std::unique_lock lock(mutex_);
        latest_ = std::move(now);
        stopped_.wait_for(lock, stop, every, [] { return false; });
    }
}

std::vector<Reading> Watch::latest() const {
    const std::lock_guard lock(mutex_);
    return latest_;
}

}  // namespace millrace::gpu
