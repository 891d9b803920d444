#pragma once
// measure(): how many sessions of a ladder this machine carries in real time, found by trying.
//
// Thread: main. It runs the loop; SIGINT and SIGTERM end it (ErrorKind::timeout, "stopped").

#include <functional>
#include <string>
#include <vector>

#include "transcoder/bench/course.h"

namespace millrace::bench {

// What kept it from being more.
enum class Bound : std::uint8_t {
    cpu,         // the cores are used up
    one_thread,  // cores are idle: a session's slowest stage is one thread, and it is too slow
    memory,      // another engine might not have room
    limit,       // as many as a transcoder may have
};
[[nodiscard]] std::string_view to_string(Bound bound);

struct Finding {
    std::uint32_t sessions = 0;  // 0: not even one
    Bound bound = Bound::cpu;
    Lone lone;
    std::vector<Step> steps;  // in the order they were tried

    // What a transcoder may promise: these sessions, and a little for the rounding of rates.
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

[[nodiscard]] Result<Finding> measure(Clip clip, MeasureOptions options, Watcher& watcher);

// Bytes that engines may take of this machine now: most of what is free, and no more than the control group has left.
[[nodiscard]] std::uint64_t memory_for_engines();

}  // namespace millrace::bench
