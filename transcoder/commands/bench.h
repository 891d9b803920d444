#pragma once
// `transcoder bench`: how many sessions of a ladder this machine carries in real time.
//
// Thread: main.

#include <string>
#include <vector>

#include "common/config/gpu_selection.h"
#include "common/domain/rendition.h"
#include "common/domain/segment_limits.h"

namespace millrace::transcoder {

struct BenchOptions {
    Ladder ladder;
    std::vector<std::string> inputs;  // segments; empty: a clip made here
    bool json = false;
    SegmentLimits limits;
    double cores = 1;  // that this process may use
    config::GpuSelection gpus;
};

// An exit code of contract.md: 0; 65 the input cannot be used; 75 not even one session, or no GPU of
// those that are asked for, or one that failed.
[[nodiscard]] int run_bench(const BenchOptions& options);

}  // namespace millrace::transcoder
