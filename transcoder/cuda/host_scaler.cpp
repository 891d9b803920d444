#include <algorithm>

#include "common/base/check.h"
#include "transcoder/cuda/scale_plan.h"

namespace millrace::cuda {
namespace {

AxisView view(const Axis& axis) {
    return {axis.first.data(), axis.weights.data(), axis.taps,
            static_cast<std::int32_t>(axis.first.size())};
}

}  // namespace

// Lines are filtered across once each and kept as long as an output row needs them.
void scale_plane(const PlaneJob& job) {
    const auto width = static_cast<std::size_t>(columns(job));
    std::vector<std::int32_t> lines(width * static_cast<std::size_t>(job.y.taps));
    std::vector<std::int32_t> sums(width);
    std::int32_t made = 0;  // lines before this one have been filtered across
    const auto line_at = [&](std::int32_t row) {
        return lines.begin() +
               static_cast<std::ptrdiff_t>(width * static_cast<std::size_t>(row % job.y.taps));
    };
    for (std::int32_t row = 0; row < job.y.outputs; ++row) {
        const std::int32_t first = job.y.first[row];
        for (made = std::max(made, first); made < first + job.y.taps; ++made)
            for (std::int32_t column = 0; column < columns(job); ++column)
                line_at(made)[column] = filter_across(job, made, column);
        std::ranges::fill(sums, 0);
        for (std::int32_t tap = 0; tap < job.y.taps; ++tap)
            for (std::size_t column = 0; column < width; ++column)
                sums[column] += filter_down(
                    job, row, tap, line_at(first + tap)[static_cast<std::ptrdiff_t>(column)]);
        for (std::int32_t column = 0; column < columns(job); ++column)
            put_sample(job, row, column, sums[static_cast<std::size_t>(column)]);
    }
}

void scale_on_host(const ScalePlan& plan, const Surface& from, std::span<const Surface> to) {
    MR_CHECK(to.size() == plan.outputs().size(), "one surface for each output");
    for (const ScalePlan::Plane& plane : plan.planes()) {
        PlaneJob job = plane.between(from, to[plane.output]);
        job.x = view(plane.x);
        job.y = view(plane.y);
        scale_plane(job);
    }
}

}  // namespace millrace::cuda
