#pragma once
// The bounded queue between whoever produces a streamed body and the connection that sends it.
//
// Internal to common/http. Thread: any; it wakes the connection through the edge.

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/http/exchange.h"

namespace millrace::http {

class StreamQueue final : public ResponseStream {
public:
    StreamQueue(std::shared_ptr<Edge> edge, std::uint64_t connection)
        : edge_(std::move(edge)), connection_(connection) {}

    bool write(std::string piece) override;
    void end() override;

    // The connection's side. Empty and not ended = wait.
    [[nodiscard]] std::string take_all();
    [[nodiscard]] bool ended() const;
    void close();  // nobody will send any more

private:
    void wake();

    std::shared_ptr<Edge> edge_;
    std::uint64_t connection_;
    mutable std::mutex mutex_;
    std::string queued_;
    bool ended_ = false;
    bool closed_ = false;
};

// What the producer holds: ends the queue when let go.
class StreamHandle final : public ResponseStream {
public:
    explicit StreamHandle(std::shared_ptr<StreamQueue> queue) : queue_(std::move(queue)) {}
    ~StreamHandle() override { queue_->end(); }
    bool write(std::string piece) override { return queue_->write(std::move(piece)); }
    void end() override { queue_->end(); }

private:
    std::shared_ptr<StreamQueue> queue_;
};

}  // namespace millrace::http
