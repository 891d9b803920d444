#include <cmath>

#include "tests/support/catch.h"
#include "transcoder/media/quantiser_range.h"
#include "transcoder/media/rate_steering.h"
#include "transcoder/media/vbv.h"

namespace millrace::media {
namespace {

constexpr double kStep = 1.0 / 25;
constexpr RateSteering::Aim kAim{1'000'000, 25, 640 * 360, false};

// Film whose pictures cost `cost` bits at factor 0, key pictures eight times that, through a buffer
// of one second. Returns the mean bitrate.
double hold(RateSteering& steering, VbvBucket& bucket, double cost, int pictures) {
    double bits = 0;
    for (int n = 0; n < pictures; ++n) {
        const bool key = n % 50 == 0;
        const double picture = cost * (key ? 8 : 1) * std::exp2(-steering.factor() / 6);
        bucket.take(std::llround(picture), kStep);
        bits += picture;
        steering.encoded({std::llround(picture), steering.factor(), key, kStep,
                          std::max(0.0, bucket.fill_after(kStep) / 1e6)});
    }
    return bits / (pictures * kStep);
}

}  // namespace

TEST_CASE("the range of quantisers follows what segments leave in the buffer", "[media][rate]") {
    const auto next = [](int level, double fullness, int begun_again = 0) {
        QuantiserRange range(level * 1000);
        for (int n = 0; n < begun_again; ++n)
            range.coarsen();
        return range.after(fullness) / 1000;
    };
    CHECK(QuantiserRange(0).coarsest() == QuantiserRange::kFirst);
    CHECK(QuantiserRange(-5).coarsest() == QuantiserRange::kFirst);
    CHECK(next(40, 0.95) == 36);
    CHECK(next(40, 0.7) == 40);
    CHECK(next(40, 0.5) == 46);
    CHECK(next(40, 0.95, 1) == 48);  // full because it was made coarser
    CHECK(next(40, 0.7, 3) == 52);   // one hard cut does not spoil what comes after it
    for (const double fullness : {0.0, 1.0})
        for (const int begun_again : {0, 1, 5})
            for (const int level : {1, 40, 1000})
                CHECK((next(level, fullness, begun_again) >= QuantiserRange::kLeast &&
                       next(level, fullness, begun_again) <= QuantiserRange::kMost));
}

TEST_CASE("a range that was too fine is moved in growing steps, and ends at the coarsest",
          "[media][rate]") {
    QuantiserRange range(40'000);
    CHECK(range.finest() == 40 - QuantiserRange::kWidth);
    int begun_again = 0;
    for (int before = 0; range.can_coarsen(); ++begun_again) {
        REQUIRE(begun_again < 5);
        range.coarsen();
        CHECK(range.finest() > before);
        CHECK(range.coarsest() >= range.finest());
        before = range.finest();
    }
    CHECK(begun_again == 3);
    CHECK(range.finest() == QuantiserRange::kCoarsest);
    CHECK(range.coarsest() == QuantiserRange::kCoarsest);
}

TEST_CASE("a buffer fills at the channel's rate up to its size", "[media][rate]") {
    VbvBucket bucket(1000, 800, 500);
    CHECK(bucket.fill_after(0) == 500);
    bucket.take(300, 99);  // the first picture finds what it was told
    CHECK(bucket.fill_after(0.1) == 300);
    CHECK(bucket.fill_after(10) == 800);
    bucket.take(100, 0.1);
    CHECK(bucket.fill_after(0) == 200);
    CHECK(bucket.violations() == 0);
}

TEST_CASE("a picture that finds too few bits is a violation, and is owed", "[media][rate]") {
    VbvBucket bucket(1000, 800, 9999);
    CHECK(bucket.fill_after(0) == 800);
    bucket.take(900, 0);
    CHECK(bucket.violations() == 1);
    CHECK(bucket.fill_after(0.05) == -50);
    bucket.take(10, 1);
    CHECK(bucket.violations() == 1);
}

TEST_CASE("steering holds the bitrate, whatever the film costs", "[media][rate]") {
    for (const double cost : {2e5, 5e5, 1e6}) {
        INFO(cost);
        RateSteering steering(kAim, std::nullopt);
        VbvBucket bucket(kAim.bitrate, kAim.bitrate, 900'000);
        (void)hold(steering, bucket, cost, 250);
        CHECK(hold(steering, bucket, cost, 500) == Approx(1e6).epsilon(0.02));
    }
}

TEST_CASE("a steering that goes on from another's factor makes no step", "[media][rate]") {
    RateSteering first(kAim, std::nullopt);
    VbvBucket bucket(kAim.bitrate, kAim.bitrate, 900'000);
    (void)hold(first, bucket, 1e6, 500);
    RateSteering second(kAim, first.factor());
    CHECK(second.factor() == first.factor());
    (void)hold(second, bucket, 1e6, 25);
    CHECK(std::abs(second.factor() - first.factor()) < 1.5);
    const RateSteering guessed(kAim, std::nullopt);
    CHECK(std::abs(guessed.factor() - first.factor()) > 1.5);  // the start it is spared
}

TEST_CASE("steering stays within bounds on black and on noise", "[media][rate]") {
    for (const auto& [cost, factor] :
         {std::pair{0.0, RateSteering::kFactorMin}, {1e12, RateSteering::kFactorMax}}) {
        RateSteering steering(kAim, 1000.0);
        VbvBucket bucket(kAim.bitrate, kAim.bitrate, 900'000);
        (void)hold(steering, bucket, cost, 500);
        CHECK(steering.factor() == factor);
    }
}

}  // namespace millrace::media
