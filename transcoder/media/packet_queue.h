#pragma once
// Packets on their way from the thread that reads a segment to the one that decodes it: bounded,
// with an end that carries the reader's verdict.
//
// Thread: one pushes, one pops, either closes.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "common/base/result.h"
#include "transcoder/media/demuxer.h"

namespace millrace::media {

class PacketQueue {
public:
    // Packets that may wait: a segment at its limits fits, so reading runs ahead of decoding and
    // its duration is known early. The bytes are bounded by the segment's own limit.
    static constexpr std::size_t kWaitingMax = 16'384;

    // Waits for room. False when the reader of the queue has gone.
    bool push(Demuxer::Packet packet) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return waiting_.size() < kWaitingMax || abandoned_; });
        waiting_.push_back(std::move(packet));
        changed_.notify_all();
        return !abandoned_;
    }
    void finish(Result<void> verdict) {
        const std::lock_guard lock(mutex_);
        verdict_ = std::move(verdict);
        changed_.notify_all();
    }

    // Waits for a packet; an empty one is the end.
    [[nodiscard]] Result<Demuxer::Packet> pop() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return !waiting_.empty() || verdict_; });
        // A verdict that condemns the segment is not kept waiting for frames nobody will want.
        if (verdict_ && !*verdict_)
            return verdict_->error();
        if (waiting_.empty())
            return Demuxer::Packet{};
        Demuxer::Packet packet = std::move(waiting_.front());
        waiting_.pop_front();
        changed_.notify_all();
        return packet;
    }
    void abandon() {
        const std::lock_guard lock(mutex_);
        abandoned_ = true;
        changed_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Demuxer::Packet> waiting_;
    std::optional<Result<void>> verdict_;
    bool abandoned_ = false;
};

}  // namespace millrace::media
