#include "common/runtime/loop.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fcntl.h>

#include "common/base/check.h"
#include "common/runtime/loop_asio.h"

namespace millrace {

namespace asio = boost::asio;

struct Loop::Impl {
    asio::io_context context{1};  // 1 = one thread serves it; posting from others stays safe
    asio::executor_work_guard<asio::io_context::executor_type> stay{context.get_executor()};
    std::atomic<std::thread::id> serving{};
    std::shared_ptr<asio::signal_set> signals;
    std::function<void(int)> signal_handler;

    void wait_for_signal();
};

namespace {

// Marks the calling thread as the loop thread for as long as it serves.
class Serving {
public:
    explicit Serving(std::atomic<std::thread::id>& who) : who_(who) {
        std::thread::id nobody;
        MR_CHECK(who_.compare_exchange_strong(nobody, std::this_thread::get_id()),
                 "one thread at a time serves a loop, and not from inside a handler");
    }
    ~Serving() { who_.store(std::thread::id{}); }
    Serving(const Serving&) = delete;
    Serving& operator=(const Serving&) = delete;

private:
    std::atomic<std::thread::id>& who_;
};

void check_thread(Loop& loop) {
    MR_CHECK(loop.on_loop_thread(), "timers, watches and signals belong to the loop thread");
}

}  // namespace

asio::io_context& asio_context(Loop& loop) {
    return loop.impl().context;
}

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;

void Loop::run() {
    const Serving serving(impl_->serving);
    impl_->context.run();
    impl_->context.restart();
}

bool Loop::run_until(const std::function<bool()>& done, TimePoint deadline) {
    const Serving serving(impl_->serving);
    while (!done()) {
        if (impl_->context.run_one_until(deadline) == 0)
            break;  // the deadline, or stop()
    }
    impl_->context.restart();
    return done();
}

void Loop::stop() {
    impl_->context.stop();
}

void Loop::post(Task task) {
    asio::post(impl_->context, std::move(task));
}

TimePoint Loop::now() const {
    return std::chrono::steady_clock::now();
}

bool Loop::on_loop_thread() const {
    const auto serving = impl_->serving.load();
    return serving == std::thread::id{} || serving == std::this_thread::get_id();
}

void Loop::Impl::wait_for_signal() {
    signals->async_wait([this, mine = signals](const auto& problem, int signal) {
        if (problem || mine != signals)
            return;  // destroyed or replaced
        signal_handler(signal);
        wait_for_signal();
    });
}

void Loop::on_signal(std::initializer_list<int> signals, std::function<void(int)> handler) {
    check_thread(*this);
    impl_->signals = std::make_shared<asio::signal_set>(impl_->context);
    impl_->signal_handler = std::move(handler);
    for (const int signal : signals)
        impl_->signals->add(signal);
    impl_->wait_for_signal();
}

// --- Timer -------------------------------------------------------------------------------------

struct Timer::State {
    explicit State(Loop& owner) : loop(owner), timer(asio_context(owner)) {}

    Loop& loop;
    asio::steady_timer timer;
    Loop::Task task;  // empty = nothing pending
    // Cancelling cannot recall a handler that is already queued; its number tells it is outdated.
    std::uint64_t generation = 0;
};

Timer::Timer(Loop& loop) : state_(std::make_shared<State>(loop)) {}
Timer::~Timer() {
    if (state_)
        cancel();
}
Timer::Timer(Timer&&) noexcept = default;
Timer& Timer::operator=(Timer&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
}

void Timer::set(TimePoint when, Loop::Task task) {
    check_thread(state_->loop);
    state_->task = std::move(task);
    state_->timer.expires_at(when);
    state_->timer.async_wait([state = state_, mine = ++state_->generation](const auto& problem) {
        if (problem || state->generation != mine || !state->task)
            return;
        const Loop::Task due = std::exchange(state->task, nullptr);
        due();
    });
}

void Timer::cancel() {
    check_thread(state_->loop);
    if (!state_->task)
        return;
    state_->task = nullptr;
    ++state_->generation;
    state_->timer.cancel();
}

bool Timer::pending() const {
    return static_cast<bool>(state_->task);
}

// --- FdWatch -----------------------------------------------------------------------------------

struct FdWatch::State : std::enable_shared_from_this<FdWatch::State> {
    using WaitType = asio::posix::stream_descriptor::wait_type;

    struct Direction {
        WaitType type;
        Loop::Task handler{};  // empty = off
        bool waiting = false;  // an async_wait is out
    };

    State(Loop& owner, int fd) : loop(owner), descriptor(asio_context(owner), fd) {}

    void watch(Direction& direction, Loop::Task handler) {
        check_thread(loop);
        direction.handler = std::move(handler);
        wait(direction);
    }

    void wait(Direction& direction) {
        if (direction.waiting || !direction.handler || !descriptor.is_open())
            return;
        direction.waiting = true;
        descriptor.async_wait(direction.type,
                              [self = shared_from_this(), &direction](const auto& problem) {
                                  direction.waiting = false;
                                  if (!problem && direction.handler) {
                                      // A copy: the handler may replace or end itself.
                                      const Loop::Task handler = direction.handler;
                                      handler();
                                  }
                                  self->wait(direction);
                              });
    }

    void close() {
        check_thread(loop);
        readable.handler = nullptr;
        writable.handler = nullptr;
        boost::system::error_code ignored;  // closing a descriptor of our own cannot be handled
        descriptor.close(ignored);
    }

    Loop& loop;
    asio::posix::stream_descriptor descriptor;
    Direction readable{WaitType::wait_read};
    Direction writable{WaitType::wait_write};
};

namespace {

int duplicate(int fd) {
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    MR_CHECK(copy >= 0, std::strerror(errno));
    return copy;
}

}  // namespace

FdWatch::FdWatch(Loop& loop, int fd) : state_(std::make_shared<State>(loop, duplicate(fd))) {}
FdWatch::~FdWatch() {
    if (state_)
        state_->close();
}
FdWatch::FdWatch(FdWatch&&) noexcept = default;
FdWatch& FdWatch::operator=(FdWatch&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
}

void FdWatch::on_readable(Loop::Task handler) {
    state_->watch(state_->readable, std::move(handler));
}
void FdWatch::on_writable(Loop::Task handler) {
    state_->watch(state_->writable, std::move(handler));
}
void FdWatch::stop_readable() {
    state_->readable.handler = nullptr;
}
void FdWatch::stop_writable() {
    state_->writable.handler = nullptr;
}

}  // namespace millrace
