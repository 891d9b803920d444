#include "common/runtime/loop.h"

#include <array>
#include <csignal>
#include <thread>
#include <vector>

#include <unistd.h>

#include "common/runtime/thread_checker.h"
#include "tests/support/catch.h"

using namespace millrace;
using namespace std::chrono_literals;

namespace {

class Pipe {
public:
    Pipe() { REQUIRE(::pipe(ends_.data()) == 0); }
    ~Pipe() {
        ::close(ends_[0]);
        ::close(ends_[1]);
    }
    [[nodiscard]] int read_end() const { return ends_[0]; }
    [[nodiscard]] int write_end() const { return ends_[1]; }
    void write_byte() const { REQUIRE(::write(ends_[1], "x", 1) == 1); }
    void read_byte() const {
        char byte = 0;
        REQUIRE(::read(ends_[0], &byte, 1) == 1);
    }

private:
    std::array<int, 2> ends_{};
};

bool within_5s(Loop& loop, const std::function<bool()>& done) {
    return loop.run_until(done, loop.now() + 5s);
}

}  // namespace

TEST_CASE("timers fire in the order of their times, and once each") {
    Loop loop;
    std::vector<int> order;
    Timer late(loop), early(loop), past(loop);
    const TimePoint start = loop.now();
    late.set(start + 20ms, [&] { order.push_back(3); });
    early.set(start + 5ms, [&] { order.push_back(2); });
    past.set(start - 1s, [&] { order.push_back(1); });
    REQUIRE(within_5s(loop, [&] { return order.size() == 3; }));
    CHECK(order == std::vector<int>{1, 2, 3});
    CHECK(loop.now() >= start + 20ms);
    CHECK_FALSE(late.pending());
}

TEST_CASE("a timer cancelled while its handler is already due does not fire") {
    Loop loop;
    int fired = 0;
    Timer first(loop), second(loop);
    const TimePoint past = loop.now() - 1s;
    // Both are due in the same turn; whichever comes first calls the other one off.
    first.set(past, [&] { ++fired, second.cancel(); });
    second.set(past, [&] { ++fired, first.cancel(); });
    bool flushed = false;
    Timer flush(loop);
    flush.set(loop.now() + 10ms, [&] { flushed = true; });
    REQUIRE(within_5s(loop, [&] { return flushed; }));
    CHECK(fired == 1);
}

TEST_CASE("setting a timer again replaces what it was set to") {
    Loop loop;
    int which = 0;
    Timer timer(loop);
    timer.set(loop.now(), [&] { which = 1; });
    timer.set(loop.now() + 5ms, [&] { which = 2; });
    REQUIRE(within_5s(loop, [&] { return which != 0; }));
    CHECK(which == 2);
}

TEST_CASE("a timer may be destroyed by its own handler") {
    Loop loop;
    auto timer = std::make_unique<Timer>(loop);
    bool fired = false;
    timer->set(loop.now(), [&] { timer.reset(), fired = true; });
    REQUIRE(within_5s(loop, [&] { return fired; }));
}

TEST_CASE("work posted by other threads runs on the loop thread, in order per thread") {
    Loop loop;
    constexpr int kThreads = 4, kTasks = 1000;
    std::array<std::vector<int>, kThreads> seen;
    ThreadChecker checker;
    int total = 0;
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < kThreads; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < kTasks; ++i)
                loop.post([&, t, i] {
                    checker.check("on the loop thread");
                    seen[t].push_back(i);
                    ++total;
                });
        });
    REQUIRE(within_5s(loop, [&] { return total == kThreads * kTasks; }));
    for (auto& thread : threads)
        thread.join();
    for (const auto& numbers : seen)
        CHECK(std::is_sorted(numbers.begin(), numbers.end()));
}

TEST_CASE("stop from another thread ends run, and a stop before run is not lost") {
    Loop loop;
    std::thread stopper([&] { loop.stop(); });
    loop.run();
    stopper.join();
    loop.stop();
    loop.run();
    bool ran = false;
    loop.post([&] { ran = true, loop.stop(); });
    loop.run();
    CHECK(ran);
}

TEST_CASE("a readable descriptor is reported again for as long as it stays readable") {
    Loop loop;
    const Pipe pipe;
    pipe.write_byte();
    pipe.write_byte();
    int calls = 0;
    FdWatch watch(loop, pipe.read_end());
    watch.on_readable([&] {
        if (++calls > 2)  // twice ignored: level-triggered readiness must come back
            pipe.read_byte();
    });
    bool flushed = false;
    REQUIRE(within_5s(loop, [&] { return calls == 4; }));
    Timer flush(loop);
    flush.set(loop.now() + 10ms, [&] { flushed = true; });
    REQUIRE(within_5s(loop, [&] { return flushed; }));
    CHECK(calls == 4);
    pipe.write_byte();
    REQUIRE(within_5s(loop, [&] { return calls == 5; }));
}

TEST_CASE("write readiness can be switched off and on beside read readiness") {
    Loop loop;
    const Pipe pipe;
    int writable = 0;
    FdWatch watch(loop, pipe.write_end());
    watch.on_writable([&] { ++writable, watch.stop_writable(); });
    REQUIRE(within_5s(loop, [&] { return writable == 1; }));
    watch.on_writable([&] { ++writable, watch.stop_writable(); });
    REQUIRE(within_5s(loop, [&] { return writable == 2; }));
}

TEST_CASE("a watch may be destroyed by its own handler, and its owner may close the descriptor") {
    Loop loop;
    auto pipe = std::make_unique<Pipe>();
    pipe->write_byte();
    auto watch = std::make_unique<FdWatch>(loop, pipe->read_end());
    int calls = 0;
    watch->on_readable([&] { ++calls, pipe.reset(), watch.reset(); });
    REQUIRE(within_5s(loop, [&] { return calls == 1; }));
    CHECK_FALSE(loop.run_until([&] { return calls > 1; }, loop.now() + 10ms));
}

TEST_CASE("signals arrive on the loop thread, each time") {
    Loop loop;
    std::vector<int> seen;
    loop.on_signal({SIGUSR1, SIGUSR2}, [&](int signal) { seen.push_back(signal); });
    ::raise(SIGUSR1);
    REQUIRE(within_5s(loop, [&] { return seen.size() == 1; }));
    ::raise(SIGUSR2);
    REQUIRE(within_5s(loop, [&] { return seen.size() == 2; }));
    CHECK(seen == std::vector<int>{SIGUSR1, SIGUSR2});
}

TEST_CASE("a thread checker binds to its first caller and tells others apart") {
    ThreadChecker checker;
    REQUIRE(checker.is_owner());
    bool other = true;
    std::thread([&] { other = checker.is_owner(); }).join();
    CHECK_FALSE(other);
    checker.detach();
    std::thread([&] { other = checker.is_owner(); }).join();
    CHECK(other);
    CHECK_FALSE(checker.is_owner());
}
