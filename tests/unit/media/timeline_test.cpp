#include "transcoder/media/timeline.h"

#include "tests/support/catch.h"
#include "transcoder/media/video_clock.h"

namespace millrace::media {
namespace {

Ticks placed(Timeline& timeline, std::size_t lane, Ticks raw, Ticks duration = 3000) {
    return *timeline.place(lane, {raw, raw}, duration).dts;
}

}  // namespace

TEST_CASE("a 33-bit wrap inside a segment leaves one rising line", "[media][timeline]") {
    Timeline timeline(true);
    CHECK(placed(timeline, 0, kWrap - 3000) == kWrap - 3000);
    CHECK(placed(timeline, 1, kWrap - 1000) == kWrap - 1000);
    CHECK(placed(timeline, 0, 0) == kWrap);
    CHECK(placed(timeline, 0, 3000) == kWrap + 3000);
    CHECK(placed(timeline, 1, 500) == kWrap + 500);
    CHECK(timeline.jumps() == 0);
}

TEST_CASE("a decoding time that has nothing to do with the time of showing is none",
          "[media][timeline]") {
    Timeline timeline(true);
    CHECK(placed(timeline, 1, 3'600'044'520, 2880) == 3'600'044'520);
    CHECK(timeline.place(0, {3'600'045'000, 0}, 3003) ==
          Timeline::Times{3'600'045'000, std::nullopt});
    CHECK(placed(timeline, 1, 3'600'047'400, 2880) == 3'600'047'400);
    CHECK(timeline.jumps() == 0);
}

TEST_CASE("a decoding time before the wrap and a presentation time after it stay together",
          "[media][timeline]") {
    Timeline timeline(true);
    const auto times = timeline.place(0, {1000, kWrap - 2000}, 3000);
    CHECK(times == Timeline::Times{kWrap + 1000, kWrap - 2000});
}

TEST_CASE("a jump of the clock is closed for both streams, whichever meets it first",
          "[media][timeline]") {
    Timeline timeline(true);
    CHECK(placed(timeline, 0, 900'000) == 900'000);
    CHECK(placed(timeline, 1, 900'000, 1920) == 900'000);
    CHECK(placed(timeline, 0, 50'000'000) == 903'000);     // video jumps
    CHECK(placed(timeline, 1, 901'920, 1920) == 901'920);  // audio still on the old clock
    CHECK(placed(timeline, 0, 50'003'000) == 906'000);
    CHECK(placed(timeline, 1, 50'000'000, 1920) == 903'000);  // and now on the new one
    CHECK(timeline.jumps() == 1);
}

TEST_CASE("a clock that jumps back goes on from the latest time", "[media][timeline]") {
    Timeline timeline(true);
    CHECK(placed(timeline, 0, 50'000'000) == 50'000'000);
    CHECK(placed(timeline, 0, 100) == 50'003'000);
    CHECK(placed(timeline, 0, 3100) == 50'006'000);
}

TEST_CASE("containers without wraps are left alone", "[media][timeline]") {
    Timeline timeline(false);
    CHECK(placed(timeline, 0, 0) == 0);
    CHECK(placed(timeline, 0, 50'000'000) == 50'000'000);
}

TEST_CASE("frames without a time follow at the frame distance", "[media][clock]") {
    VideoClock clock({25, 1}, false);
    CHECK(clock.place(1000, 0) == 1000);
    CHECK(clock.place(std::nullopt, 0) == 4600);
    CHECK(clock.place(8200, 0) == 8200);
    CHECK(clock.end() == 11'800);
    CHECK(clock.repaired() == 1);
}

TEST_CASE("frames that repeat a time are moved just behind", "[media][clock]") {
    VideoClock clock({25, 1}, false);
    CHECK(clock.place(1000, 3600) == 1000);
    CHECK(clock.place(1000, 3600) == 1001);
    CHECK(clock.place(500, 3600) == 1002);
    CHECK(clock.place(8200, 3600) == 8200);
}

TEST_CASE("the end follows the distance of frames in MPEG-TS and stored durations in MP4",
          "[media][clock]") {
    VideoClock by_distance({50, 1}, false);
    VideoClock by_duration({50, 1}, true);
    for (VideoClock* clock : {&by_distance, &by_duration})
        for (const Ticks at : {0, 3600, 7200})
            CHECK(clock->place(at, 1800) == at);
    CHECK(by_distance.end() == 10'800);
    CHECK(by_duration.end() == 9000);
    VideoClock single({25, 1}, false);
    CHECK(single.place(5, 0) == 5);
    CHECK(single.end() == 3605);
}

TEST_CASE("a clock of milliseconds ends where the next segment starts", "[media][timeline]") {
    const auto at = [](std::int64_t n) {
        return (7'000'000 + n * 1'001'000'000 / 24 + 500'000) / 1'000'000 * 90;
    };
    int beside = 0;
    for (std::int64_t segment = 0; segment < 20; ++segment) {
        INFO("segment " << segment);
        VideoClock clock({24000, 1001}, true, true);
        for (std::int64_t n = 24 * segment; n < 24 * (segment + 1); ++n)
            (void)clock.place(at(n), 41 * 90);  // of 41.7 ms
        const Ticks off = std::abs(clock.end() - at(24 * (segment + 1)));
        CHECK(off <= 90);
        beside += off > 0 ? 1 : 0;
    }
    CHECK(beside <= 1);
}

TEST_CASE("uneven times in milliseconds end with the last duration", "[media][timeline]") {
    VideoClock clock({25, 1}, true, true);
    for (const Ticks at : {Ticks{0}, Ticks{3600}, Ticks{7200}, Ticks{14'400}})
        (void)clock.place(at, 3510);
    CHECK(clock.end() == 17'910);
}

}  // namespace millrace::media
