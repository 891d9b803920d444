#pragma once
// `transcoder devices --self-test`: the whole matrix on each GPU of this machine, in child processes,
// within a minute in all, as a report to paste into an issue.
//
// Thread: the caller's.

#include <string>

#include "transcoder/gpu/gpu_stock.h"

namespace millrace::transcoder {

// Returns 0 when all GPUs hold, 75 when one fails, or there is none. `json`: one document instead.
[[nodiscard]] int run_self_test(bool json);

// What of a GPU is wrong rather than not there: nothing, or a sentence. A card without a unit for a
// codec, or without NVENC, is as it was built; pictures that differ are not.
[[nodiscard]] std::string fault_of(const gpu::GpuRecord& record);

}  // namespace millrace::transcoder
