#pragma once
// A simulated process: it can be started, killed, paused and resumed. What happens to it while it is paused
// waits; what was meant for a killed one is gone.

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "tests/sim/context.h"

namespace millrace::sim {

class Node {
public:
    Node(Context& context, char kind, unsigned index)
        : context_(context), kind_(kind), index_(index) {}
    virtual ~Node() = default;
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    [[nodiscard]] bool alive() const { return alive_; }
    [[nodiscard]] bool runs() const { return alive_ && !paused_; }
    [[nodiscard]] unsigned index() const { return index_; }

    // Runs `what` in the process now, or when it goes on.
    void deliver(std::function<void()> what) { run(life_, std::move(what)); }
    // The same later; void when the process has died by then.
    void post(Duration delay, std::function<void()> what);

    void pause();
    void resume();

protected:
    void begin_life();
    void end_life();
    // After everything that happened in the process: time, effects, invariants; gives the next deadline.
    [[nodiscard]] virtual std::optional<TimePoint> settle() = 0;
    [[noreturn]] void violated(const std::string& what) const;
    void note(std::string_view what, std::uint64_t a = 0, std::uint64_t b = 0) {
        context_.note(kind_, index_, what, a, b);
    }
    // It was paused for that long and goes on; what came meanwhile waits still.
    virtual void on_resumed(Duration) {}
    [[nodiscard]] TimePoint now() const { return context_.now(); }
    [[nodiscard]] TimePoint resumed_at() const { return resumed_at_; }  // or started

    Context& context_;

private:
    void run(std::uint64_t life, std::function<void()> what);
    void settle_and_arm();

    char kind_;
    unsigned index_;
    bool alive_ = false;
    bool paused_ = false;
    TimePoint paused_at_;
    TimePoint resumed_at_;
    std::uint64_t life_ = 0;
    std::deque<std::function<void()>> waiting_;
    std::optional<TimePoint> armed_;
    std::uint64_t arming_ = 0;
    int spins_ = 0;
};

}  // namespace millrace::sim
