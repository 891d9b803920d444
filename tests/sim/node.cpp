#include "tests/sim/node.h"

#include <algorithm>

namespace millrace::sim {

namespace {

constexpr Duration kTimerLateness = milliseconds(1);
constexpr int kSpinsMax = 200;

}  // namespace

void Node::violated(const std::string& what) const {
    throw Violation(std::string(1, kind_) + std::to_string(index_) + ": " + what);
}

void Node::begin_life() {
    alive_ = true;
    paused_ = false;
    resumed_at_ = now();
    ++life_;
    armed_.reset();
    ++arming_;
    waiting_.clear();
}

void Node::end_life() {
    alive_ = false;
    paused_ = false;
    ++life_;
    waiting_.clear();
}

void Node::pause() {
    if (!paused_)
        paused_at_ = now();
    paused_ = true;
}

void Node::resume() {
    if (!alive_ || !paused_)
        return;
    paused_ = false;
    resumed_at_ = now();
    on_resumed(resumed_at_ - paused_at_);
    // One by one, as a loop would read them; any of them may end the process.
    auto waiting = std::move(waiting_);
    waiting_.clear();
    const std::uint64_t life = life_;
    for (auto& what : waiting)
        run(life, std::move(what));
    run(life, [] {});
}

void Node::post(Duration delay, std::function<void()> what) {
    context_.queue.in(delay, [this, life = life_, what = std::move(what)]() mutable {
        run(life, std::move(what));
    });
}

void Node::run(std::uint64_t life, std::function<void()> what) {
    if (life != life_ || !alive_)
        return;
    if (paused_) {
        waiting_.push_back(std::move(what));
        return;
    }
    what();
    if (life == life_ && alive_)
        settle_and_arm();
}

void Node::settle_and_arm() {
    const std::uint64_t life = life_;
    const auto next = settle();
    if (life != life_ || !alive_ || !next)
        return;
    spins_ = *next <= now() ? spins_ + 1 : 0;
    if (spins_ > kSpinsMax)
        violated("the core wants to be called again and again without doing anything");
    if (armed_ && *armed_ <= *next)
        return;
    armed_ = *next;
    const TimePoint at = std::max(*next, now() + std::chrono::microseconds(1)) +
                         context_.between(Duration{0}, kTimerLateness);
    context_.queue.at(at, [this, life, arming = ++arming_] {
        if (arming != arming_)
            return;
        armed_.reset();
        run(life, [] {});
    });
}

}  // namespace millrace::sim
