#include "transcoder/core/gpu_board.h"

#include "tests/support/catch.h"

namespace millrace::transcoder {
namespace {

using namespace std::chrono_literals;

constexpr GpuNo kGpu0{0};
constexpr GpuNo kGpu1{1};
const TimePoint kStart{1h};

std::vector<Seat> free_seats(std::size_t count) {
    return std::vector<Seat>(count);
}
std::vector<Seat> seats(const GpuBoard& board, std::vector<Seat> before) {
    const std::vector<Place> places = board.seat(before);
    for (std::size_t slot = 0; slot < before.size(); ++slot)
        before[slot].place = places[slot];
    board.check_invariants(before);
    return before;
}
void quarantine(GpuBoard& board, GpuNo gpu) {
    CHECK_FALSE(board.failed(gpu, "first", kStart));
    CHECK_FALSE(board.failed(gpu, "second", kStart));
    CHECK(board.failed(gpu, "third", kStart));
}

}  // namespace

TEST_CASE("three failures within a minute, and not two nor slower ones, are too many",
          "[transcoder][gpu]") {
    GpuBoard board({{}, {}});
    CHECK_FALSE(board.failed(kGpu0, "a", kStart));
    CHECK_FALSE(board.failed(kGpu0, "b", kStart + 30s));
    CHECK_FALSE(board.failed(kGpu0, "c", kStart + 61s));  // the first was more than a minute ago
    CHECK(board.ready(kGpu0));
    CHECK(board.failed(kGpu0, "d", kStart + 90s));
    CHECK_FALSE(board.ready(kGpu0));
    CHECK(board.ready(kGpu1));
    const GpuStatus status = board.status({})[0];
    CHECK(status.failures == 4);
    CHECK(status.quarantine == "3 failures within 60 s; the last: d");
    // What was still at work there is counted, and changes nothing.
    CHECK_FALSE(board.failed(kGpu0, "e", kStart + 91s));
    CHECK(board.status({})[0].quarantine == status.quarantine);
}

TEST_CASE("slots are seated by what each GPU has left", "[transcoder][gpu]") {
    const auto places = [](std::vector<GpuEntry> gpus, std::size_t slots) {
        return GpuBoard(std::move(gpus)).seat(free_seats(slots));
    };
    CHECK(places({{}}, 2) == std::vector<Place>{kGpu0, kGpu0});
    CHECK(places({{}, {}}, 4) == std::vector<Place>{kGpu0, kGpu1, kGpu0, kGpu1});
    CHECK(places({{3}, {1}}, 4) == std::vector<Place>{kGpu0, kGpu0, kGpu0, kGpu1});
    CHECK(places({{1}}, 2) == std::vector<Place>{kGpu0, {}});
    CHECK(places({}, 2) == std::vector<Place>{{}, {}});
}

TEST_CASE("limits bound what is offered, and a GPU in quarantine offers nothing",
          "[transcoder][gpu]") {
    GpuBoard limited({{18}, {15}});
    CHECK(limited.offered(40) == 33);
    CHECK(limited.offered(20) == 20);
    quarantine(limited, kGpu0);
    CHECK(limited.offered(40) == 15);
    quarantine(limited, kGpu1);
    CHECK(limited.offered(40) == 0);
    CHECK_FALSE(limited.any_ready());

    GpuBoard unlimited({{}, {2}});
    CHECK(unlimited.offered(8) == 8);
    quarantine(unlimited, kGpu0);
    CHECK(unlimited.offered(8) == 2);
    CHECK(GpuBoard(std::vector<GpuEntry>{}).offered(8) == 8);
}

TEST_CASE("what is seated right stays where it is", "[transcoder][gpu]") {
    const GpuBoard board({{2}, {2}});
    const std::vector<Seat> now{{kGpu1, true}, {kGpu0, false}, {kGpu1, false}, {kGpu0, true}};
    CHECK(seats(board, now) == now);
}

TEST_CASE("sessions of a GPU in quarantine go where there is room, before free slots do",
          "[transcoder][gpu]") {
    GpuBoard board({{2}, {2}});
    quarantine(board, kGpu0);
    // One place is left on the other GPU: the session gets it, and the free slot gives way.
    CHECK(seats(board, {{kGpu0, true}, {kGpu1, true}, {kGpu0, false}, {kGpu1, false}}) ==
          std::vector<Seat>{{kGpu1, true}, {kGpu1, true}, {{}, false}, {{}, false}});
    // None is left: the CPU's.
    CHECK(seats(board, {{kGpu0, true}, {kGpu1, true}, {kGpu0, true}, {kGpu1, true}}) ==
          std::vector<Seat>{{{}, true}, {kGpu1, true}, {{}, true}, {kGpu1, true}});
    // A place became free: the one that waited longest by number.
    CHECK(seats(board, {{{}, true}, {kGpu1, false}, {{}, true}, {kGpu1, true}}) ==
          std::vector<Seat>{{kGpu1, true}, {{}, false}, {{}, true}, {kGpu1, true}});
}

TEST_CASE("a session leaves a GPU that failed it for the roomiest other, if there is one",
          "[transcoder][gpu]") {
    GpuBoard board({{4}, {4}, {4}});
    const std::vector<Seat> now{{kGpu0, true}, {kGpu1, true}, {kGpu1, true}, {GpuNo{2}, true}};
    CHECK(board.instead_of(kGpu0, now) == Place(GpuNo{2}));
    CHECK(board.instead_of(GpuNo{2}, now) == Place(kGpu0));
    CHECK(GpuBoard(std::vector<GpuEntry>{{4}}).instead_of(kGpu0, {{kGpu0, true}}) == Place());
    CHECK(GpuBoard(std::vector<GpuEntry>{{1}, {1}})
              .instead_of(kGpu0, {{kGpu0, true}, {kGpu1, true}}) == Place());
}

TEST_CASE("headroom counts sessions, not slots", "[transcoder][gpu]") {
    const GpuBoard board({{4}, {}});
    const std::vector<Seat> now{{kGpu0, true}, {kGpu0, false}, {kGpu1, true}};
    CHECK(board.headroom(kGpu0, now) == 3);
    CHECK(board.headroom(kGpu1, now) == std::int64_t{kSlotsMax} - 1);
    CHECK(board.status(now)[0].sessions == 1);
}

}  // namespace millrace::transcoder
