#include "transcoder/media/grid.h"

#include "common/base/rng.h"
#include "tests/support/catch.h"

namespace millrace::media {

TEST_CASE("consecutive segments own every frame of the grid exactly once", "[media][grid]") {
    Rng rng(7);
    for (const Rational rate : {Rational{30, 1}, {30000, 1001}, {24000, 1001}, {7, 3}, {240, 1}}) {
        const FrameGrid grid(rate, 0);
        Ticks from = static_cast<Ticks>(rng.below(1'000'000));
        std::int64_t expected = grid.sampled_in(from, from).first;
        for (int segment = 0; segment < 200; ++segment) {
            const Ticks to = from + 1 + static_cast<Ticks>(rng.below(400'000));
            const FrameGrid::Range range = grid.sampled_in(from, to);
            CHECK(range.first == expected);
            expected = range.end;
            from = to;
        }
    }
}

TEST_CASE("a source on the grid keeps one frame per frame, whatever its rounding",
          "[media][grid]") {
    const FrameGrid grid({30, 1}, 0);
    for (std::int64_t k = 0; k < 300; ++k) {
        // As a container with milliseconds would store it.
        const Ticks at = (k * 1000 + 15) / 30 * 90;
        const Ticks next = ((k + 1) * 1000 + 15) / 30 * 90;
        CHECK(grid.sampled_in(at, next) == FrameGrid::Range{k, k + 1});
    }
}

TEST_CASE("the grid holds before time zero and after a wrap of the clock", "[media][grid]") {
    const FrameGrid grid({25, 1}, 0);
    CHECK(grid.sampled_in(-7200, 0) == FrameGrid::Range{-2, 0});
    CHECK(grid.time_of(-2) == -7200);
    const FrameGrid later({25, 1}, kWrap);
    CHECK(later.sampled_in(kWrap, kWrap + 3600) == FrameGrid::Range{0, 1});
    CHECK(later.time_of(1) == kWrap + 3600);
}

TEST_CASE("times of fractional rates are rounded, not accumulated", "[media][grid]") {
    const FrameGrid grid({24000, 1001}, 0);
    CHECK(grid.time_of(1) == 3754);  // 3753.75
    CHECK(grid.time_of(2) == 7508);  // 7507.5
    CHECK(grid.time_of(24'000) == 90'090'000);
}

TEST_CASE("a given GOP length puts key frames on the source's clock", "[media][grid]") {
    KeyGrid keys(2000, 0, 5 * kTicksPerSecond);
    std::vector<Ticks> found;
    for (Ticks at = 5 * kTicksPerSecond; at < 10 * kTicksPerSecond; at += 3003)
        if (keys.is_key(at))
            found.push_back(at);
    // The start, and the first frames at or after 6 s and 8 s.
    CHECK(found == std::vector<Ticks>{450'000, 540'090, 720'270});
}

TEST_CASE("without a GOP length a two-second segment holds one key frame", "[media][grid]") {
    KeyGrid keys(kGopDefault, 0, 133'200);
    int found = 0;
    for (Ticks at = 133'200; at < 133'200 + 2 * kTicksPerSecond; at += 3600)
        found += keys.is_key(at) ? 1 : 0;
    CHECK(found == 1);
    CHECK(keys.is_key(133'200 + 2 * kTicksPerSecond));
}

TEST_CASE("a frame of the grid that stands just before the segment's start is its only key frame",
          "[media][grid]") {
    // 1 frame per second of a source that starts at 10.1 s: frame 10 is sampled at 10.125 s.
    KeyGrid keys(kGopDefault, 0, 909'000);
    CHECK(keys.is_key(900'000));
    CHECK_FALSE(keys.is_key(990'000));
    CHECK_FALSE(keys.is_key(1'080'000));
    CHECK(keys.is_key(1'170'000));  // the first from 12.1 s on
}

TEST_CASE("intra means every frame", "[media][grid]") {
    KeyGrid keys(kGopIntra, 0, 0);
    CHECK(keys.is_key(0));
    CHECK(keys.is_key(3600));
}

TEST_CASE("measured rates are named by the rate in common use next to them", "[media][grid]") {
    CHECK(nominal_rate({30000, 1001}, {30000, 1001}) == NominalRate{{30000, 1001}, true});
    CHECK(nominal_rate({2997, 100}, {2997, 100}) == NominalRate{{30000, 1001}, true});
    CHECK(nominal_rate({}, {25, 1}) == NominalRate{{25, 1}, true});
    CHECK(nominal_rate({25, 1}, {50, 1}) == NominalRate{{25, 1}, true});  // fields
    CHECK_FALSE(nominal_rate({750000, 71393}, {90000, 1}).constant);
    CHECK_FALSE(nominal_rate({}, {}).constant);
}

}  // namespace millrace::media
