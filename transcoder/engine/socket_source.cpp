#include "transcoder/engine/socket_source.h"

#include <algorithm>
#include <cstring>

namespace millrace::engine {

void SocketSource::fill(std::vector<std::uint8_t> bytes) {
    const std::lock_guard lock(mutex_);
    if (stopped_ || received_ > bytes_max_)
        return;
    received_ += bytes.size();
    waiting_.push_back(std::move(bytes));
    changed_.notify_all();
}

void SocketSource::finish() {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    changed_.notify_all();
}

void SocketSource::stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    waiting_.clear();
    changed_.notify_all();
}

std::size_t SocketSource::read(std::span<std::uint8_t> out) {
    std::unique_lock lock(mutex_);
    const auto began = std::chrono::steady_clock::now();
    changed_.wait(lock, [&] { return !waiting_.empty() || finished_ || stopped_; });
    starved_ += std::chrono::steady_clock::now() - began;
    if (waiting_.empty())
        return 0;
    const std::vector<std::uint8_t>& front = waiting_.front();
    const std::size_t count = std::min(out.size(), front.size() - front_used_);
    std::memcpy(out.data(), front.data() + front_used_, count);
    front_used_ += count;
    if (front_used_ == front.size()) {
        waiting_.pop_front();
        front_used_ = 0;
    }
    return count;
}

void SocketSource::await_end(const media::CancelToken& cancel) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return finished_ || cancel.cancelled(); });
}

Duration SocketSource::starved() {
    const std::lock_guard lock(mutex_);
    return starved_;
}

}  // namespace millrace::engine
