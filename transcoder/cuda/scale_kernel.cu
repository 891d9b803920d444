// Our kernel: one launch reads a decoded surface and writes those of all renditions.

#include "transcoder/cuda/scale_launch.h"

namespace millrace::cuda {
namespace {

// Lines that a tile holds in shared memory at a time: 8 KiB, whatever the ratio.
constexpr int kLinesHeld = 64;

}  // namespace

// A block makes one tile: lines are filtered across into shared memory, kLinesHeld at a time, and
// every thread adds up what they give to its output rows.
extern "C" __global__ void __launch_bounds__(kTileColumns* kThreadRows)
    millrace_scale(const __grid_constant__ Launch launch) {
    __shared__ std::int32_t lines[kLinesHeld][kTileColumns];
    const int which = job_of(launch, static_cast<int>(blockIdx.x));
    const PlaneJob& job = launch.jobs[which];
    const int tile = static_cast<int>(blockIdx.x) - launch.first_tile[which];
    const int column =
        tile % launch.tiles_across[which] * kTileColumns + static_cast<int>(threadIdx.x);
    const int top = tile / launch.tiles_across[which] * kTileRows;
    const int bottom = min(top + kTileRows, job.y.outputs);
    const int lines_end = job.y.first[bottom - 1] + job.y.taps;
    const bool inside = column < columns(job);
    std::int32_t sums[kRowsPerThread] = {};
    for (int base = job.y.first[top]; base < lines_end; base += kLinesHeld) {
        const int held = min(kLinesHeld, lines_end - base);
        if (inside)
            for (int n = static_cast<int>(threadIdx.y); n < held; n += kThreadRows)
                lines[n][threadIdx.x] = filter_across(job, base + n, column);
        __syncthreads();
        for (int r = 0; r < kRowsPerThread; ++r) {
            const int row = top + static_cast<int>(threadIdx.y) + r * kThreadRows;
            if (!inside || row >= bottom)
                continue;
            const int first = job.y.first[row];
            const int from = max(first, base);
            const int until = min(first + job.y.taps, base + held);
            for (int line = from; line < until; ++line)
                sums[r] += filter_down(job, row, line - first, lines[line - base][threadIdx.x]);
        }
        __syncthreads();
    }
    for (int r = 0; r < kRowsPerThread; ++r) {
        const int row = top + static_cast<int>(threadIdx.y) + r * kThreadRows;
        if (inside && row < bottom)
            put_sample(job, row, column, sums[r]);
    }
}

}  // namespace millrace::cuda
