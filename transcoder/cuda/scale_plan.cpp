#include "transcoder/cuda/scale_plan.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/base/check.h"

namespace millrace::cuda {
namespace {

// Mitchell and Netravali, "Reconstruction filters in computer graphics" (1988), with B = 0.
constexpr double kSharpness = 0.6;  // their C
constexpr double kReach = 2.0;      // samples to either side

double cubic(double distance) {
    const double x = std::abs(distance);
    if (x < 1)
        return (2 - kSharpness) * x * x * x + (kSharpness - 3) * x * x + 1;
    if (x < kReach)
        return kSharpness * (-x * x * x + 5 * x * x - 8 * x + 4);
    return 0;
}

// Rounds so that the sum is exact: what one weight loses the next one gets.
void quantise(std::span<const double> exact, double gain, std::span<std::int16_t> out,
              std::size_t step) {
    double sum = 0;
    for (const double weight : exact)
        sum += weight;
    double seen = 0;
    std::int64_t given = 0;
    for (std::size_t tap = 0; tap < exact.size(); ++tap) {
        seen += exact[tap];
        const std::int64_t until = std::llround(seen / sum * gain * (1 << kWeightBits));
        out[tap * step] = static_cast<std::int16_t>(until - given);
        given = until;
    }
}

struct Range {
    double gain = 1;
    std::int32_t offset = 0;
};

// From full to limited range (BT.601 and BT.709: 219 steps of luma above 16, 224 of chroma around
// 128, both times a power of two in deeper samples).
Range to_limited(bool deep, int plane) {
    const double codes = deep ? 1023 : 255;
    const double whole = deep ? 1024 : 256;
    const double scale = whole / 256;
    constexpr double kOne = 1 << kSumBits;
    if (plane == 0)
        return {219 * scale / codes, static_cast<std::int32_t>(kOne * 16 / 256)};
    const double gain = 224 * scale / codes;
    return {gain, static_cast<std::int32_t>(std::lround(kOne / 2 * (1 - gain)))};
}

}  // namespace

Axis cubic_axis(std::int32_t from, std::int32_t to, double gain) {
    MR_CHECK(from > 0 && to > 0, "an axis has samples");
    const double ratio = static_cast<double>(from) / to;
    const double stretch = std::max(1.0, ratio);
    const auto wide = static_cast<std::int32_t>(std::ceil(2 * kReach * stretch));
    Axis axis;
    axis.taps = std::min(from, wide);
    axis.first.resize(static_cast<std::size_t>(to));
    axis.weights.resize(static_cast<std::size_t>(to) * static_cast<std::size_t>(axis.taps));
    std::vector<double> exact(static_cast<std::size_t>(axis.taps));
    for (std::int32_t n = 0; n < to; ++n) {
        const double centre = (n + 0.5) * ratio - 0.5;
        const auto low = static_cast<std::int32_t>(std::floor(centre - kReach * stretch)) + 1;
        const std::int32_t first = std::clamp(low, 0, from - axis.taps);
        std::ranges::fill(exact, 0.0);
        // What lies beyond an edge counts as the sample at the edge.
        for (std::int32_t k = low; k < low + wide; ++k)
            exact[static_cast<std::size_t>(std::clamp(k, 0, from - 1) - first)] +=
                cubic((k - centre) / stretch);
        axis.first[static_cast<std::size_t>(n)] = first;
        quantise(exact, gain, std::span(axis.weights).subspan(static_cast<std::size_t>(n)),
                 static_cast<std::size_t>(to));
    }
    return axis;
}

Size plane_size(const SurfaceSpec& surface, int plane) {
    const std::int32_t half = plane == 0 ? 0 : 1;
    return {(surface.size.width + half) >> half, (surface.size.height + half) >> half};
}

std::int64_t row_bytes(const SurfaceSpec& surface, int plane) {
    const bool pairs = plane > 0 && surface.format != SurfaceFormat::i420;
    return std::int64_t{plane_size(surface, plane).width} * (pairs ? 2 : 1) *
           (surface.format == SurfaceFormat::p010 ? 2 : 1);
}

Surface SurfaceLayout::at(std::uint8_t* block) const {
    Surface surface;
    for (int plane = 0; plane < kPlanesMax && strides[plane] > 0; ++plane) {
        surface.planes[plane] = block + starts[plane];
        surface.strides[plane] = strides[plane];
    }
    return surface;
}

SurfaceLayout lay_out(const SurfaceSpec& surface, std::int64_t row_alignment) {
    SurfaceLayout layout;
    for (int plane = 0; plane < planes_of(surface.format); ++plane) {
        const std::int64_t stride =
            (row_bytes(surface, plane) + row_alignment - 1) / row_alignment * row_alignment;
        layout.starts[plane] = layout.bytes;
        layout.strides[plane] = stride;
        layout.bytes += static_cast<std::size_t>(stride * plane_size(surface, plane).height);
    }
    return layout;
}

PlaneJob ScalePlan::Plane::between(const Surface& from, const Surface& to) const {
    const int source = plane == 0 ? 0 : 1;
    PlaneJob whole = job;
    whole.from = from.planes[source] + source_start;
    whole.from_stride = from.strides[source];
    whole.to = to.planes[plane];
    whole.to_stride = to.strides[plane];
    return whole;
}

ScalePlan::ScalePlan(const SurfaceSpec& source, bool full_range, std::vector<SurfaceSpec> outputs)
    : source_(source), outputs_(std::move(outputs)) {
    MR_CHECK(outputs_.size() <= kOutputsMax, "more renditions than a ladder has");
    MR_CHECK(source_.format != SurfaceFormat::i420, "decoders interleave their chroma");
    for (std::size_t n = 0; n < outputs_.size(); ++n)
        for (int plane = 0; plane < planes_of(outputs_[n].format); ++plane)
            planes_.push_back(make_plane(n, plane, full_range));
}

ScalePlan::Plane ScalePlan::make_plane(std::size_t output, int plane, bool full_range) const {
    const SurfaceSpec& spec = outputs_[output];
    const bool deep = source_.format == SurfaceFormat::p010;
    const Size from = plane_size(source_, plane);
    const Size to = plane_size(spec, plane);
    for (const std::int32_t side : {from.width, from.height, to.width, to.height})
        MR_CHECK(side > 0 && side <= kSideMax, "a side that no picture has");
    const Range range = full_range ? to_limited(deep, plane) : Range{};
    Plane made{output,
               plane,
               plane == 2 ? (deep ? 2 : 1) : 0,
               cubic_axis(from.width, to.width, 1),
               cubic_axis(from.height, to.height, range.gain),
               {}};
    made.job.offset = range.offset;
    made.job.step = plane == 0 ? 1 : 2;
    made.job.channels = plane == 0 || spec.format == SurfaceFormat::i420 ? 1 : 2;
    made.job.deep_in = deep;
    made.job.deep_out = spec.format == SurfaceFormat::p010;
    return made;
}

}  // namespace millrace::cuda
