#pragma once
// What kept a number of sessions from being larger. Pure.
//
// Rules
// - Where as many as may be tried held, the least of the limits is it: the GPUs' own, memory, or the slots of a transcoder.
// - Else the step that failed tells: the CPU where it is used up to kUsedUp; else what of a GPU is at least that busy; else
//   the CPU where it has little left; else a session's slowest stage. Encoders that the card refused come before all
//   that: the CPU may be used up because it does their work.
// - Of several things on GPUs the one that says most is named: units that do nothing else (NVDEC, NVENC), then memory, its
//   bus, and last the SMs, which the driver calls busy as soon as anything runs on any of them.
//
// Thread: any.

#include <cstdint>
#include <optional>
#include <string_view>

#include "transcoder/bench/step.h"

namespace millrace::bench {

enum class Bound : std::uint8_t {
    cpu,         // the cores are used up
    one_thread,  // cores are idle: a session's slowest stage is one thread, and it is too slow
    memory,      // another engine might not have room
    limit,       // as many as a transcoder may have
    gpu_limit,   // as many as --nvidia allows on its GPUs
    nvdec,       // of a GPU, and the following too
    nvenc,
    encoder_sessions,  // the card refused encoders, and the CPU had to do their work
    gpu_memory,
    gpu_memory_bus,
    sm,
};
[[nodiscard]] std::string_view to_string(Bound bound);

struct Binding {
    Bound bound = Bound::cpu;
    std::optional<std::uint32_t> gpu;  // of what is a GPU's: as NVML counts
    double share = 0;                  // of that, 0 to 1
};

// At or above, a part of a machine is used up.
inline constexpr double kUsedUp = 0.9;

// Of a step that did not hold.
[[nodiscard]] Binding what_was_short(const Step& failed);

// How many sessions may be tried at most, and why not more.
struct Ceiling {
    std::uint32_t sessions = 1;
    Bound bound = Bound::limit;
};
// `by_memory`, `by_gpus`: none = no such limit. At least 1.
[[nodiscard]] Ceiling least(std::uint32_t slots, std::optional<std::uint64_t> by_memory,
                            std::optional<std::uint32_t> by_gpus);

}  // namespace millrace::bench
