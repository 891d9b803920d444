#pragma once
// measure(): how many sessions of a ladder this machine carries in real time, found by trying.
//
// Thread: main. It runs the loop; SIGINT and SIGTERM end it (ErrorKind::timeout, "stopped").

#include <functional>
#include <string>
#include <vector>

#include "transcoder/bench/bound.h"
#include "transcoder/bench/course.h"

namespace millrace::bench {

struct Finding {
    std::uint32_t sessions = 0;  // 0: not even one
    Binding binding;             // what kept it from being more
    Lone lone;
    std::vector<Step> steps;  // in the order they were tried

    // What a session takes of the CPU when the machine is as full as it may be, of what it takes alone: caches, memory
    // and the clock's rate are shared then.
    [[nodiscard]] double crowding() const;
    // What a transcoder may promise: these sessions, and a little for the rounding of rates. At the prices of a full
    // machine: what its sessions are seen to take beside them tells of pictures, and not of neighbours.
    [[nodiscard]] Capacity capacity() const;
    // The last step that held at `sessions`; null: none did.
    [[nodiscard]] const Step* best() const;
};

struct MeasureOptions {
    CourseOptions course;
    Rounds rounds;
    std::uint32_t sessions_max = kSlotsMax;
    std::uint64_t memory = 0;  // bytes for engines; 0 = no limit
};

// What is being done, for people. All calls on the caller's thread.
class Watcher {
public:
    virtual ~Watcher() = default;
    virtual void measured_alone(const Lone&) {}
    virtual void running(std::uint32_t /*sessions*/, std::uint32_t /*done*/, std::uint32_t /*of*/) {
    }
    virtual void step_done(const Step&, const Verdict&) {}
};

// device: a GPU failed or fell away meanwhile, and there is no number.
[[nodiscard]] Result<Finding> measure(Clip clip, MeasureOptions options, Watcher& watcher);

// Bytes that engines may take of this machine now: most of what is free, and no more than the control group has left.
[[nodiscard]] std::uint64_t memory_for_engines();

}  // namespace millrace::bench
