#include "tests/sim/context.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace millrace::sim {

std::string_view to_string(Mutation mutation) {
    switch (mutation) {
        case Mutation::none:
            return "none";
        case Mutation::deliver_twice:
            return "deliver_twice";
        case Mutation::lose_answer:
            return "lose_answer";
        case Mutation::no_attempt_fence:
            return "no_attempt_fence";
        case Mutation::no_epoch_fence:
            return "no_epoch_fence";
        case Mutation::ack_before_sync:
            return "ack_before_sync";
        case Mutation::lose_release:
            return "lose_release";
    }
    return "?";
}

namespace {

// Any two transcoders carry all sessions.
void make_single_faults(Options& o, Rng& rng) {
    o.single_faults = true;
    o.orchestrators = 1;
    o.transcoders = 3 + static_cast<unsigned>(rng.below(2));
    o.slots_min = o.slots_max = 1 + static_cast<unsigned>(rng.below(3));
    o.broadcasters = 2 * o.slots_min;
    o.delay_mean = milliseconds(1 + rng.below(15));
    o.delay_min = o.delay_mean / 4;
    o.fault_every = seconds(20);
    o.engine_speed = 0.15 + 0.05 * static_cast<double>(rng.below(3));
    o.misbehave = 0;
}

}  // namespace

Options options_for(std::uint64_t seed, Duration length, Mutation mutation) {
    Rng rng(seed * 0x9e3779b97f4a7c15ULL + 1);
    Options o;
    o.seed = seed;
    o.length = std::max<Duration>(length, seconds(150));
    o.mutation = mutation;
    o.orchestrators = rng.chance(0.2) ? 2 : 1;
    o.transcoders = static_cast<unsigned>(1 + rng.below(5));
    o.broadcasters = static_cast<unsigned>(1 + rng.below(6));
    o.slots_max = static_cast<unsigned>(1 + rng.below(3));
    o.delay_mean = milliseconds(1 + rng.below(rng.chance(0.2) ? 80 : 15));
    o.delay_min = o.delay_mean / 4;
    o.duplicate = rng.chance(0.3) ? 0.02 : 0;
    o.fault_every = rng.chance(0.1) ? Duration{0} : Duration(seconds(3 + rng.below(15)));
    o.commit_time = milliseconds(1 + rng.below(20));
    o.engine_speed = 0.15 + 0.05 * static_cast<double>(rng.below(7));
    o.misbehave = rng.chance(0.5) ? 0.05 : 0;
    if (seed % 4 == 0)
        make_single_faults(o, rng);
    return o;
}

std::string describe(const Options& o) {
    return std::string(o.single_faults ? "single faults, " : "storm, ") + "orchestrators " +
           std::to_string(o.orchestrators) + ", transcoders " + std::to_string(o.transcoders) +
           " x " + std::to_string(o.slots_min) + ".." + std::to_string(o.slots_max) +
           " slots, broadcasters " + std::to_string(o.broadcasters) + ", delay " +
           std::to_string(to_ms(o.delay_mean)) + " ms, a fault every " +
           std::to_string(to_ms(o.fault_every)) + " ms, commit " +
           std::to_string(to_ms(o.commit_time)) + " ms, speed " +
           std::to_string(o.engine_speed).substr(0, 4) + ", duplicate " +
           std::to_string(o.duplicate).substr(0, 4) + ", pranks " +
           std::to_string(o.misbehave).substr(0, 4) + ", mutation " +
           std::string(to_string(o.mutation));
}

void EventQueue::at(TimePoint when, std::function<void()> run) {
    events_.push({std::max(when, now_), made_++, std::move(run)});
}

bool EventQueue::step(TimePoint until) {
    if (events_.empty() || events_.top().at > until) {
        now_ = until;
        return false;
    }
    // top() is const; the event is gone with the pop, so its function may be moved out.
    auto run = std::move(const_cast<Event&>(events_.top()).run);
    now_ = events_.top().at;
    events_.pop();
    ++done_;
    run();
    return true;
}

void Trace::note(TimePoint at, char kind, unsigned who, std::string_view what, std::uint64_t a,
                 std::uint64_t b) {
    const auto add = [this](std::uint64_t value) {
        hash_ = (hash_ ^ value) * 0x100000001b3ULL;
        hash_ ^= hash_ >> 29;
    };
    add(static_cast<std::uint64_t>(at.time_since_epoch().count()));
    add(static_cast<std::uint64_t>(kind) << 32 | who);
    for (const char c : what)
        add(static_cast<unsigned char>(c));
    add(a);
    add(b);
    Entry& entry = last_[count_++ % kKept];
    entry = {at, kind, who, what, a, b};
    if (print_)
        print(entry);
}

void Trace::print(const Entry& e) {
    std::printf("%10.4f %c%u %.*s %llu %llx\n", to_seconds(e.at.time_since_epoch()), e.kind, e.who,
                static_cast<int>(e.what.size()), e.what.data(),
                static_cast<unsigned long long>(e.a), static_cast<unsigned long long>(e.b));
}

void Trace::print_last() const {
    for (std::size_t i = count_ > kKept ? count_ - kKept : 0; i < count_; ++i)
        print(last_[i % kKept]);
}

Duration Context::between(Duration low, Duration high) {
    return low + Duration(static_cast<std::int64_t>(
                     rng.below(static_cast<std::uint64_t>((high - low).count()) + 1)));
}

Duration Context::around(Duration mean) {
    const double u = (static_cast<double>(rng.below(1'000'000)) + 1) / 1'000'001;
    return Duration(
        static_cast<std::int64_t>(static_cast<double>(mean.count()) * std::min(8.0, -std::log(u))));
}

Duration Context::network_delay() {
    return options.delay_min + around(options.delay_mean - options.delay_min);
}

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    return Rng(a * 0x9e3779b97f4a7c15ULL ^ (b + 0x7f4a7c15ULL)).next();
}

Sha256 model_hash(std::uint64_t a, std::uint64_t b) {
    Rng rng(mix(a, b));
    Sha256 hash;
    for (std::size_t i = 0; i < hash.size(); i += 8) {
        const std::uint64_t word = rng.next();
        for (std::size_t j = 0; j < 8; ++j)
            hash[i + j] = static_cast<std::uint8_t>(word >> (8 * j));
    }
    return hash;
}

std::uint64_t short_hash(const Sha256& hash) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 8; ++i)
        word |= static_cast<std::uint64_t>(hash[i]) << (8 * i);
    return word;
}

std::uint64_t maker_tag(unsigned transcoder, Epoch epoch, TaskId task, AttemptNo attempt) {
    return mix(mix(transcoder, epoch.value), mix(task.value, attempt.value));
}

}  // namespace millrace::sim
