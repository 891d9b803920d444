#pragma once
// What one launch of our kernel is told, and how its blocks divide the work: seen by the kernel, by who
// launches it, and by tests that play the device.
//
// A block makes one tile of one plane of one rendition. Tiles of all planes are numbered one after the
// other, row by row.
//
// Thread: any; plain values.

#include "transcoder/cuda/scale_math.h"

namespace millrace::cuda {

inline constexpr int kTileColumns = 32;  // a warp writes one row of a tile
inline constexpr int kThreadRows = 8;
inline constexpr int kRowsPerThread = 2;
inline constexpr int kTileRows = kThreadRows * kRowsPerThread;
inline constexpr int kJobsMax = 8 * 3;  // renditions of a ladder, planes

// Passed by value, within the 4 KiB that a kernel's parameters may have on every device.
struct Launch {
    PlaneJob jobs[kJobsMax];
    std::int32_t tiles_across[kJobsMax];
    std::int32_t first_tile[kJobsMax + 1];
    std::int32_t count;
};
static_assert(sizeof(Launch) <= 4096);

inline constexpr const char* kKernelName = "millrace_scale";

// Which job a tile belongs to.
[[nodiscard]] MR_HOST_AND_DEVICE inline int job_of(const Launch& launch, int tile) {
    int job = 0;
    while (job + 1 < launch.count && tile >= launch.first_tile[job + 1])
        ++job;
    return job;
}

}  // namespace millrace::cuda
