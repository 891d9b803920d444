#pragma once
// JobSlot: the one task of an engine, between the thread that reads its socket and the one that works; and when what an
// engine keeps between two tasks is given back: after kIdleAfter without one, or when told so, at once.
//
// Told while a task is there it means nothing: that task's memory is in use.
//
// Thread: put(), give_back() and close() by the reader; take() and ended() by the worker. Owner: the engine's main.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "common/base/time.h"

namespace millrace::engine {

template <class Job>
class JobSlot {
public:
    // Its session pauses, or has none. As orchestrators see it (contract.md, section 2).
    static constexpr Duration kIdleAfter = std::chrono::seconds(10);

    void put(Job job) {
        const std::lock_guard lock(mutex_);
        job_ = std::move(job);
        at_work_ = true;
        told_ = false;
        changed_.notify_all();
    }
    void give_back() {
        const std::lock_guard lock(mutex_);
        told_ = !at_work_;
        changed_.notify_all();
    }
    void close() {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        changed_.notify_all();
    }
    // Before anybody is told that the task is over: who answers to that has to be understood.
    void ended() {
        const std::lock_guard lock(mutex_);
        at_work_ = false;
    }
    // Waits for one; nothing: closed. Meanwhile `on_idle` is called once when there was none for `idle_after`, and each
    // time that it was told.
    [[nodiscard]] std::optional<Job> take(const std::function<void()>& on_idle,
                                          Duration idle_after = kIdleAfter) {
        std::unique_lock lock(mutex_);
        bool keeps = true;
        while (!job_ && !closed_) {
            const auto changed = [this] { return job_ || closed_ || told_; };
            if (keeps)
                changed_.wait_for(lock, idle_after, changed);
            else
                changed_.wait(lock, changed);
            if (job_ || closed_)
                break;
            told_ = false;
            keeps = false;
            lock.unlock();
            on_idle();
            lock.lock();
        }
        return std::exchange(job_, std::nullopt);
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<Job> job_;
    bool at_work_ = false;  // from put() to ended()
    bool told_ = false;
    bool closed_ = false;
};

}  // namespace millrace::engine
