#pragma once
// Surfaces in memory for tests of the scaler: rows padded on purpose, so that a stride that is
// mistaken for a width shows.
//
// Thread: any; values.

#include <array>
#include <cstring>
#include <vector>

#include "common/base/rng.h"
#include "transcoder/cuda/scale_plan.h"

namespace millrace::test {

struct MemorySurface {
    explicit MemorySurface(const cuda::SurfaceSpec& described, std::int64_t padding = 22)
        : spec(described) {
        for (int plane = 0; plane < cuda::planes_of(spec.format); ++plane) {
            strides[plane] = cuda::row_bytes(spec, plane) + padding;
            planes[plane].assign(
                static_cast<std::size_t>(strides[plane]) * static_cast<std::size_t>(height(plane)),
                kUntouched);
        }
    }

    [[nodiscard]] std::int32_t height(int plane) const {
        return cuda::plane_size(spec, plane).height;
    }
    [[nodiscard]] cuda::Surface view() {
        cuda::Surface surface;
        for (int plane = 0; plane < cuda::planes_of(spec.format); ++plane) {
            surface.planes[plane] = planes[plane].data();
            surface.strides[plane] = strides[plane];
        }
        return surface;
    }
    // Samples of one row of a plane, interleaved chroma's two by turns.
    [[nodiscard]] int samples(int plane) const {
        return static_cast<int>(cuda::row_bytes(spec, plane)) / (deep() ? 2 : 1);
    }
    [[nodiscard]] bool deep() const { return spec.format == cuda::SurfaceFormat::p010; }
    [[nodiscard]] int sample(int plane, int row, int column) const {
        const std::uint8_t* line = planes[plane].data() + row * strides[plane];
        if (!deep())
            return line[column];
        std::uint16_t word = 0;
        std::memcpy(&word, line + 2 * column, 2);
        return word >> cuda::kDeepShift;
    }
    void set_sample(int plane, int row, int column, int value) {
        std::uint8_t* line = planes[plane].data() + row * strides[plane];
        if (!deep()) {
            line[column] = static_cast<std::uint8_t>(value);
            return;
        }
        const auto word = static_cast<std::uint16_t>(value << cuda::kDeepShift);
        std::memcpy(line + 2 * column, &word, 2);
    }
    template <class Value>  // int(plane, row, column)
    void fill(Value value) {
        for (int plane = 0; plane < cuda::planes_of(spec.format); ++plane)
            for (int row = 0; row < height(plane); ++row)
                for (int column = 0; column < samples(plane); ++column)
                    set_sample(plane, row, column, value(plane, row, column));
    }
    void fill_at_random(Rng& rng) {
        const std::uint64_t codes = deep() ? 1024 : 256;
        fill([&](int, int, int) { return static_cast<int>(rng.below(codes)); });
    }

    static constexpr std::uint8_t kUntouched = 0xa5;
    cuda::SurfaceSpec spec;
    std::array<std::vector<std::uint8_t>, cuda::kPlanesMax> planes;
    std::array<std::int64_t, cuda::kPlanesMax> strides{};
};

}  // namespace millrace::test
