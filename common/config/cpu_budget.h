#pragma once
// How much CPU this process may really use: the cores it may be scheduled on, cut by the quota of
// its control groups (v2 and v1). std::thread::hardware_concurrency() knows nothing of quotas.
//
// Thread: any. Reads /proc and /sys each time it is asked.

#include <cstdint>
#include <string>

namespace millrace::config {

// In cores; at least 0.01. `root` stands before /proc and /sys, for tests. `affinity_cores` is the
// number of cores in the scheduling mask.
[[nodiscard]] double cpu_budget(const std::string& root, std::uint32_t affinity_cores);
[[nodiscard]] double cpu_budget();

// Slots of `--max-sessions auto` until there is a benchmark: cores / 2, at least 1, at most
// kSlotsMax.
[[nodiscard]] std::uint32_t slots_for(double cores);

}  // namespace millrace::config
