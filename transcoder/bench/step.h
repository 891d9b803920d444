#pragma once
// Step: so many sessions ran at once in real time, and how each of their segments fared. Plain values, and the judgement
// whether that is good enough to be promised. Pure.
//
// Thread: any.

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/time.h"
#include "common/domain/stages_used.h"
#include "transcoder/bench/gpu_load.h"

namespace millrace::bench {

// A segment that counted: warm-up is left out.
struct Served {
    Duration took{0};      // from when it was there to its last rendition
    Duration duration{0};  // its own: it was in time when it took no longer
    Duration cpu{0};       // of its engine
};

struct Step {
    std::uint32_t sessions = 0;
    std::vector<std::vector<Served>> served;  // by session
    // A counted segment was late, or a GPU's memory full: nobody waited for the rest.
    bool given_up = false;
    double cpu_share = 0;       // of the cores this process may use, by its engines, 0..1
    double idle_share = 0;      // of the machine's cores, whoever else uses them, 0..1
    std::vector<GpuLoad> gpus;  // of those that sessions had; empty: none
    StageCounts stages;         // of sessions with a GPU, warm-up too
};

// Parts of a segment's own duration.
struct Quantiles {
    double p50 = 0;
    double p95 = 0;
    double p99 = 0;
};
// Of nothing: zeros. Nearest rank.
[[nodiscard]] Quantiles quantiles(std::span<const Served> served);
[[nodiscard]] std::vector<Served> all_served(const Step& step);

struct Verdict {
    bool holds = false;
    std::size_t late = 0;  // segments
    Quantiles all;
    Quantiles worst;  // of the session with the highest p95
};

// The share of its duration that 95 of 100 segments may take: a machine that is always just in time has no room for a
// picture that is harder than what was measured.
inline constexpr double kP95Max = 0.9;
// What engines may take of the CPU: lanes, encryption and hashes of the transcoder are not measured
// here and want theirs.
inline constexpr double kCpuShareMax = 0.92;

// Holds when every session served something, no segment was late, p95 is at most kP95Max and the
// CPU share kCpuShareMax.
[[nodiscard]] Verdict judge(const Step& step);

}  // namespace millrace::bench
