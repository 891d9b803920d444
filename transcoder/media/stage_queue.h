#pragma once
// What waits between two threads of the pipeline: bounded, so that a fast stage waits for a slow
// one instead of piling up pictures.
//
// Thread: any number push, one pops, anybody closes or abandons.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace millrace::media {

template <class T>
class StageQueue {
public:
    // `room`: items that may wait, at least 1.
    explicit StageQueue(std::size_t room) : room_(room) {}

    // Waits for room. False: abandoned, the item is gone.
    bool push(T item) {
        std::unique_lock lock(mutex_);
        has_room_.wait(lock, [&] { return counted_ < room_ || abandoned_; });
        return put(std::move(item), true);
    }
    // Waits for room, but no longer than that: the item is still there then.
    enum class Push : std::uint8_t { done, abandoned, no_room };
    Push push_within(T& item, std::chrono::milliseconds longest) {
        std::unique_lock lock(mutex_);
        if (!has_room_.wait_for(lock, longest, [&] { return counted_ < room_ || abandoned_; }))
            return Push::no_room;
        return put(std::move(item), true) ? Push::done : Push::abandoned;
    }
    // Does not wait; for what is bounded elsewhere.
    bool push_extra(T item) {
        const std::lock_guard lock(mutex_);
        return put(std::move(item), false);
    }
    // Waits for an item; none: closed and empty, or abandoned.
    [[nodiscard]] std::optional<T> pop() {
        std::unique_lock lock(mutex_);
        has_item_.wait(lock, [&] { return !waiting_.empty() || closed_ || abandoned_; });
        if (waiting_.empty() || abandoned_)
            return std::nullopt;
        auto [item, counts] = std::move(waiting_.front());
        waiting_.pop_front();
        counted_ -= counts ? 1 : 0;
        has_room_.notify_one();
        return std::optional<T>(std::move(item));
    }
    // Nothing more will be pushed.
    void close() {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        has_item_.notify_all();
    }
    // Nobody wants what is in it any more: nobody waits from here on.
    void abandon() {
        const std::lock_guard lock(mutex_);
        abandoned_ = true;
        has_item_.notify_all();
        has_room_.notify_all();
    }

private:
    bool put(T item, bool counts) {
        if (abandoned_)
            return false;
        waiting_.emplace_back(std::move(item), counts);
        counted_ += counts ? 1 : 0;
        has_item_.notify_one();
        return true;
    }

    std::mutex mutex_;
    std::condition_variable has_room_;
    std::condition_variable has_item_;
    std::deque<std::pair<T, bool>> waiting_;
    std::size_t room_;
    std::size_t counted_ = 0;
    bool closed_ = false;
    bool abandoned_ = false;
};

}  // namespace millrace::media
