#pragma once
// A task's input inside the engine: filled by the thread that reads the socket, drained by the
// pipeline's. Bounded by the task's own body limit; more than that is kept only far enough for the
// pipeline to see that it is too much.
//
// Thread: one fills, one reads, anybody stops.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

#include "transcoder/media/transcode.h"

namespace millrace::engine {

class SocketSource final : public media::ByteSource {
public:
    explicit SocketSource(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

    void fill(std::vector<std::uint8_t> bytes);
    void finish();  // no more will come

    std::size_t read(std::span<std::uint8_t> out) override;
    void stop() override;
    // Until finish() was called, or the task cancelled and stop() called.
    void await_end(const media::CancelToken& cancel);
    // How long read() had nothing to give.
    [[nodiscard]] Duration starved();

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::vector<std::uint8_t>> waiting_;
    std::uint64_t bytes_max_;
    std::uint64_t received_ = 0;
    std::size_t front_used_ = 0;
    Duration starved_{0};
    bool finished_ = false;
    bool stopped_ = false;
};

}  // namespace millrace::engine
