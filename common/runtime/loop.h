#pragma once
// Loop: the single thread of a daemon's control side. Timers, readiness of file descriptors,
// signals and work posted by other threads all arrive as plain calls on that thread, one at a time.
//
// Promises: handlers never run inside the call that registers them, never concurrently, and never
// after the handle that owns them was cancelled or destroyed, not even when they were already due.
// A handler may destroy the handle it was called for.
//
// Thread: run() makes the caller the loop thread. post(), stop() and now() may be called from any
// thread; everything else belongs to the loop thread (before and after run(): to whoever owns the
// loop). Owner: main, or a test; it outlives every Timer and FdWatch made on it.
//
// Boost.Asio stays behind this header; code that must speak Asio includes loop_asio.h.

#include <functional>
#include <initializer_list>
#include <memory>

#include "common/base/time.h"

namespace millrace {

class Loop {
public:
    using Task = std::function<void()>;

    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    // Serves until stop(), also while there is nothing to do. A stop() that came before run() makes
    // run() return at once. May be called again afterwards. An exception thrown by a handler leaves
    // through here.
    void run();
    // Serves until done() holds (asked after every handler) or the deadline passes; returns whether
    // it held. For tests and start-up sequences.
    [[nodiscard]] bool run_until(const std::function<bool()>& done, TimePoint deadline);
    // Lets run() return after the handler that is running. Thread: any.
    void stop();

    // Runs the task on the loop thread, after what is already waiting. Thread: any. The queue is
    // not bounded here: whoever posts from another thread bounds what is in flight.
    void post(Task task);

    // Steady time. Thread: any.
    [[nodiscard]] TimePoint now() const;
    // Whether the caller may touch what belongs to the loop: true on the thread inside run(), and
    // on any thread while nobody is inside.
    [[nodiscard]] bool on_loop_thread() const;

    // Calls the handler for each arrival of one of these signals, until the loop is destroyed. A
    // second call replaces the first. The signals' default action is off from here on.
    void on_signal(std::initializer_list<int> signals, std::function<void(int signal)> handler);

    struct Impl;  // public only for loop.cpp and loop_asio.h
    [[nodiscard]] Impl& impl() { return *impl_; }

private:
    std::unique_ptr<Impl> impl_;
};

// One pending call at a time. Destroying it cancels.
class Timer {
public:
    explicit Timer(Loop& loop);
    ~Timer();
    Timer(Timer&&) noexcept;
    Timer& operator=(Timer&&) noexcept;

    // Calls `task` once, at `when` or as soon after as the loop can (at once when that is past).
    // Replaces what was set before.
    void set(TimePoint when, Loop::Task task);
    void cancel();
    [[nodiscard]] bool pending() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

// Readiness of one descriptor, level-triggered: the handler is called again for as long as the
// descriptor stays ready and the watch is on. The descriptor is duplicated, so its owner may close
// it at any time; nothing is closed or read on the owner's behalf.
class FdWatch {
public:
    FdWatch(Loop& loop, int fd);
    ~FdWatch();
    FdWatch(FdWatch&&) noexcept;
    FdWatch& operator=(FdWatch&&) noexcept;

    // Switches watching on, or replaces the handler. Errors and hang-ups count as readiness: the
    // next read or write tells what happened.
    void on_readable(Loop::Task handler);
    void on_writable(Loop::Task handler);
    void stop_readable();
    void stop_writable();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace millrace
