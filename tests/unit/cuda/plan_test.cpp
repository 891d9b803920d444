// The scaler's arithmetic on the host: what holds of it whatever the picture.

#include <numeric>

#include "tests/support/catch.h"
#include "tests/support/surfaces.h"

namespace millrace::cuda {
namespace {

using test::MemorySurface;

constexpr SurfaceFormat kNv12 = SurfaceFormat::nv12;
constexpr SurfaceFormat kP010 = SurfaceFormat::p010;

std::vector<MemorySurface> scaled(MemorySurface& from, bool full_range,
                                  const std::vector<SurfaceSpec>& outputs) {
    const ScalePlan plan(from.spec, full_range, outputs);
    std::vector<MemorySurface> made(outputs.begin(), outputs.end());
    std::vector<Surface> views;
    for (MemorySurface& surface : made)
        views.push_back(surface.view());
    scale_on_host(plan, from.view(), views);
    return made;
}

// Every sample of a plane is the same, and this is it; -1: they differ.
int only_sample(const MemorySurface& surface, int plane) {
    const int first = surface.sample(plane, 0, 0);
    for (int row = 0; row < surface.height(plane); ++row)
        for (int column = 0; column < surface.samples(plane); ++column)
            if (surface.sample(plane, row, column) != first)
                return -1;
    return first;
}

bool padding_is_untouched(const MemorySurface& surface) {
    for (int plane = 0; plane < planes_of(surface.spec.format); ++plane) {
        const auto& bytes = surface.planes[plane];
        for (std::size_t at = 0; at < bytes.size(); ++at)
            if (static_cast<std::int64_t>(at) % surface.strides[plane] >=
                    row_bytes(surface.spec, plane) &&
                bytes[at] != MemorySurface::kUntouched)
                return false;
    }
    return true;
}

}  // namespace

TEST_CASE("the weights of every output sum to one exactly and read samples that exist",
          "[cuda][plan]") {
    const auto [from, to] = GENERATE(table<int, int>({{1, 1},
                                                      {1, 64},
                                                      {2, 7},
                                                      {3, 2},
                                                      {64, 64},
                                                      {161, 320},
                                                      {1920, 426},
                                                      {1080, 2},
                                                      {5, 4096}}));
    CAPTURE(from, to);
    const Axis axis = cubic_axis(from, to, 1);
    REQUIRE(axis.first.size() == static_cast<std::size_t>(to));
    for (int n = 0; n < to; ++n) {
        int sum = 0;
        for (int tap = 0; tap < axis.taps; ++tap)
            sum += axis.weights[static_cast<std::size_t>(tap * to + n)];
        REQUIRE(sum == 1 << kWeightBits);
        const int first = axis.first[static_cast<std::size_t>(n)];
        REQUIRE(first >= 0);
        REQUIRE(first + axis.taps <= from);
        REQUIRE((n == 0 || first >= axis.first[static_cast<std::size_t>(n - 1)]));
    }
}

TEST_CASE("a picture of the same size comes out as it went in", "[cuda][scale]") {
    const SurfaceFormat format = GENERATE(kNv12, kP010);
    Rng rng(1);
    MemorySurface from({{37, 23}, format});
    from.fill_at_random(rng);
    const MemorySurface to = std::move(scaled(from, false, {{{37, 23}, format}}).front());
    CHECK(to.planes == from.planes);
}

TEST_CASE("a plain colour stays that colour at every ratio, odd sizes and extremes too",
          "[cuda][scale]") {
    const auto [luma, cb, cr] = GENERATE(
        table<int, int, int>({{16, 128, 128}, {235, 16, 240}, {0, 255, 1}, {255, 0, 254}}));
    MemorySurface from({{161, 121}, kNv12});
    from.fill([&, y = luma, u = cb, v = cr](int plane, int, int column) {
        return plane == 0 ? y : column % 2 == 0 ? u : v;
    });
    for (const MemorySurface& to :
         scaled(from, false, {{{7, 5}, kNv12}, {{161, 61}, kNv12}, {{641, 363}, kNv12}})) {
        CAPTURE(to.spec.size.width);
        CHECK(only_sample(to, 0) == luma);
        for (int column = 0; column < to.samples(1); ++column)
            REQUIRE(to.sample(1, 0, column) == (column % 2 == 0 ? cb : cr));
        CHECK(padding_is_untouched(to));
    }
}

TEST_CASE("a deeper surface gets four times the code and a shallower one a quarter",
          "[cuda][scale]") {
    MemorySurface shallow({{64, 36}, kNv12});
    shallow.fill([](int plane, int, int) { return plane == 0 ? 81 : 90; });
    const MemorySurface deep = std::move(scaled(shallow, false, {{{32, 18}, kP010}}).front());
    CHECK(only_sample(deep, 0) == 4 * 81);
    CHECK(only_sample(deep, 1) == 4 * 90);

    MemorySurface source({{64, 36}, kP010});
    source.fill([](int plane, int, int) { return plane == 0 ? 323 : 361; });
    const MemorySurface back = std::move(scaled(source, false, {{{96, 54}, kNv12}}).front());
    CHECK(only_sample(back, 0) == 81);  // 80.75
    CHECK(only_sample(back, 1) == 90);  // 90.25
}

TEST_CASE("full range is mapped to limited: the ends meet and grey stays grey", "[cuda][range]") {
    struct Case {
        SurfaceFormat format;
        int luma, chroma;
        int limited_luma, limited_chroma;
    };
    const Case one = GENERATE(Case{kNv12, 0, 128, 16, 128}, Case{kNv12, 255, 0, 235, 16},
                              Case{kNv12, 128, 255, 126, 240}, Case{kP010, 0, 512, 64, 512},
                              Case{kP010, 1023, 0, 940, 64}, Case{kP010, 512, 1023, 502, 960});
    MemorySurface from({{40, 30}, one.format});
    from.fill([&](int plane, int, int) { return plane == 0 ? one.luma : one.chroma; });
    const MemorySurface to = std::move(scaled(from, true, {{{60, 46}, one.format}}).front());
    CHECK(only_sample(to, 0) == one.limited_luma);
    CHECK(only_sample(to, 1) == one.limited_chroma);
}

TEST_CASE("what overshoots is cut off at the ends of the codes, not wrapped", "[cuda][scale]") {
    const SurfaceFormat format = GENERATE(kNv12, kP010);
    MemorySurface from({{64, 64}, format});
    const int most = from.deep() ? 1023 : 255;
    from.fill([&](int, int row, int column) { return (row / 8 + column / 8) % 2 == 0 ? 0 : most; });
    const MemorySurface to = std::move(scaled(from, false, {{{200, 200}, format}}).front());
    // In the middle of a dark square and of a bright one there is nothing in between.
    CHECK(to.sample(0, 12, 12) == 0);
    CHECK(to.sample(0, 12, 37) == most);
}

TEST_CASE("each rendition of a ladder is what it would be alone", "[cuda][scale]") {
    Rng rng(2);
    MemorySurface from({{322, 178}, kNv12});
    from.fill_at_random(rng);
    const std::vector<SurfaceSpec> ladder{
        {{320, 180}, kNv12}, {{160, 90}, kP010}, {{426, 240}, kNv12}, {{90, 50}, kNv12}};
    const std::vector<MemorySurface> together = scaled(from, false, ladder);
    for (std::size_t n = 0; n < ladder.size(); ++n)
        CHECK(scaled(from, false, {ladder[n]}).front().planes == together[n].planes);
}

TEST_CASE("a picture made smaller averages what it leaves out", "[cuda][scale]") {
    MemorySurface from({{640, 360}, kNv12});
    from.fill([](int, int, int column) { return column % 2 == 0 ? 40 : 200; });
    const MemorySurface to = std::move(scaled(from, false, {{{80, 44}, kNv12}}).front());
    for (int column = 4; column < 76; ++column)
        REQUIRE(to.sample(0, 20, column) == Approx(120).margin(2));
}

}  // namespace millrace::cuda
