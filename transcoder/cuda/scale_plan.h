#pragma once
// What scaling one size of source to the renditions of a ladder takes: the filters of every plane,
// computed once and used for every picture.
//
// The filter is a cubic with B = 0, C = 0.6, as swscale's bicubic; where pictures become smaller it
// is stretched by the ratio, so that it averages what falls together instead of skipping it.
// Chroma is centred on luma, as swscale and scale_cuda have it. Output has limited range and the
// source's matrix: a full range is mapped by the weights of the second filter, colours are left
// alone.
//
// Thread: any; immutable once made.

#include <cstdint>
#include <span>
#include <vector>

#include "common/domain/rendition.h"
#include "transcoder/cuda/scale_math.h"

namespace millrace::cuda {

// Luma, and chroma of half the size (rounded up) in both directions: interleaved as decoders and NVENC
// have it, or in two planes (i420), as software encoders want it. A source is never i420.
enum class SurfaceFormat : std::uint8_t { nv12, p010, i420 };

struct SurfaceSpec {
    Size size;
    SurfaceFormat format = SurfaceFormat::nv12;
    bool operator==(const SurfaceSpec&) const = default;
};

inline constexpr int kPlanesMax = 3;
[[nodiscard]] constexpr int planes_of(SurfaceFormat format) {
    return format == SurfaceFormat::i420 ? 3 : 2;
}

// Where a surface lies, in the memory of whoever scales.
struct Surface {
    std::uint8_t* planes[kPlanesMax] = {};
    std::int64_t strides[kPlanesMax] = {};  // bytes
};

// Filters of one axis, as AxisView describes them.
struct Axis {
    std::vector<std::int32_t> first;
    std::vector<std::int16_t> weights;
    std::int32_t taps = 0;
};

// From `from` samples to `to`, both at least 1. `gain`: what the weights of an output sum to.
[[nodiscard]] Axis cubic_axis(std::int32_t from, std::int32_t to, double gain);

class ScalePlan {
public:
    // Sides from 1 to kSideMax. `full_range`: of the source.
    ScalePlan(const SurfaceSpec& source, bool full_range, std::vector<SurfaceSpec> outputs);

    static constexpr std::int32_t kSideMax = 16384;
    static constexpr std::size_t kOutputsMax = 8;  // renditions

    struct Plane {
        std::size_t output = 0;         // which rendition
        int plane = 0;                  // of it: 0 luma, others chroma
        std::int64_t source_start = 0;  // bytes into the source's plane where its channel begins
        Axis x;
        Axis y;
        PlaneJob job;  // without pointers and strides

        // The job with everything but the filters.
        [[nodiscard]] PlaneJob between(const Surface& from, const Surface& to) const;
    };
    // Of all renditions.
    [[nodiscard]] const std::vector<Plane>& planes() const { return planes_; }
    [[nodiscard]] const SurfaceSpec& source() const { return source_; }
    [[nodiscard]] const std::vector<SurfaceSpec>& outputs() const { return outputs_; }

private:
    [[nodiscard]] Plane make_plane(std::size_t output, int plane, bool full_range) const;

    SurfaceSpec source_;
    std::vector<SurfaceSpec> outputs_;
    std::vector<Plane> planes_;
};

// Of one plane of a surface, in samples; interleaved chroma counts pairs.
[[nodiscard]] Size plane_size(const SurfaceSpec& surface, int plane);
// Bytes of one row of one plane without padding.
[[nodiscard]] std::int64_t row_bytes(const SurfaceSpec& surface, int plane);

// The planes of a surface in one block of memory, one after the other.
struct SurfaceLayout {
    std::size_t starts[kPlanesMax] = {};
    std::int64_t strides[kPlanesMax] = {};  // bytes
    std::size_t bytes = 0;                  // of all

    [[nodiscard]] Surface at(std::uint8_t* block) const;
};
// `row_alignment`: strides are multiples of it; 1: rows without padding.
[[nodiscard]] SurfaceLayout lay_out(const SurfaceSpec& surface, std::int64_t row_alignment = 1);

// The work of one plane on the CPU, its filters filled in.
void scale_plane(const PlaneJob& job);

// Scales on the CPU: the reference for the device, and what tests can run anywhere. `to`: one for
// each output of the plan.
void scale_on_host(const ScalePlan& plan, const Surface& from, std::span<const Surface> to);

}  // namespace millrace::cuda
