// What the segments of a session hand to each other, and headers that come out differently.
#include "orchestrator/core/seam_keeper.h"
#include "tests/support/catch.h"
#include "tests/support/core_harness.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::testing;

namespace {

using What = Noted::What;

SegmentKey segment(std::uint64_t seq, std::uint32_t run = 0) {
    return {session_id("s"), run, seq, sha(std::to_string(seq))};
}

TranscodeReport with_headers(std::uint8_t mark) {
    TranscodeReport made = report(small_ladder());
    for (RenditionReport& r : made.renditions)
        r.parameter_sets.fill(mark);
    return made;
}

SeamContext left(std::int32_t rate) {
    SeamContext seam{{11, 22}, {23'000, 18'000}, {}, {rate, 1}, true};
    seam.sound.packets = {{1920, {1, 2, 3}}};
    return seam;
}

// A transcoder that does nothing by itself: the test says what it reports.
struct World {
    World() { t.manner.never_starts = true; }
    void reports(TaskId task, AttemptNo attempt, const TranscodeReport& made,
                 const SeamContext& seam) {
        harness.call([&](OrchestratorCore& c, TimePoint now) {
            for (const RenditionReport& r : made.renditions)
                c.rendition_received({task, attempt, Direction::to_orchestrator, r.index}, t.key,
                                     r.bytes, r.sha256, now);
        });
        t.say(TaskFinished{task, attempt, made, seam});
        harness.run_for(5ms);
    }
    Harness harness;
    FakeTranscoder& t = harness.transcoder("one");
};

}  // namespace

TEST_CASE("the rate in headers is the first segment's, until one that was told it finds another",
          "[orchestrator][seams]") {
    SeamKeeper seams;
    CHECK(seams.handed_to(segment(1)) == SeamContext{});
    seams.committed(segment(1), with_headers(1), left(30), false);
    CHECK(seams.handed_to(segment(2)) == left(30));
    seams.committed(segment(2), with_headers(2), left(25), false);  // sent before 1 was committed
    CHECK(seams.handed_to(segment(3)).frame_rate == Rational{30, 1});
    CHECK(seams.differs(with_headers(2)));
    CHECK_FALSE(seams.differs(with_headers(1)));
    seams.committed(segment(3), with_headers(3), left(50), true);
    CHECK(seams.handed_to(segment(4)).frame_rate == Rational{50, 1});
    CHECK_FALSE(seams.differs(with_headers(3)));
    seams.forget();
    CHECK(seams.handed_to(segment(4)) == SeamContext{});
    CHECK_FALSE(seams.differs(with_headers(1)));
}

TEST_CASE("a buffer's fill and the last sound go to the very next segment alone",
          "[orchestrator][seams]") {
    SeamKeeper seams;
    seams.committed(segment(5), with_headers(1), left(30), false);
    seams.committed(segment(4), with_headers(1), {{1}, {1}, {}, {}, {}}, false);  // a straggler
    CHECK(seams.handed_to(segment(6)) == left(30));
    CHECK(seams.handed_to(segment(5)) == SeamContext{});
    CHECK(seams.handed_to(segment(6, 1)) == SeamContext{});
    const SeamContext later = seams.handed_to(segment(7));
    CHECK(later.vbv_fill_bits.empty());
    CHECK(later.sound.packets.empty());
    CHECK(later.rate_factors_milli == left(30).rate_factors_milli);
    CHECK(later.frame_rate == Rational{30, 1});
}

TEST_CASE("what has no headers, was copied or is not in the ladder is no difference",
          "[orchestrator][seams]") {
    SeamKeeper seams;
    seams.committed(segment(1), with_headers(1), left(30), false);
    TranscodeReport made = with_headers(2);
    for (RenditionReport& r : made.renditions)
        r.copied = true;
    CHECK_FALSE(seams.differs(made));
    CHECK_FALSE(seams.differs(with_headers(0)));
    made = with_headers(2);
    made.renditions.erase(made.renditions.begin() + 1, made.renditions.end());
    made.renditions[0].index = 4'000'000'000;
    CHECK_FALSE(seams.differs(made));
    seams.committed(segment(2), made, left(30), true);
    CHECK(seams.handed_to(segment(3)) == left(30));
}

TEST_CASE("a segment made untold, with other headers, is made again and told",
          "[orchestrator][seams]") {
    World world;
    const TaskId first = world.harness.accept("s", 1);
    const TaskId second = world.harness.accept("s", 2);
    world.harness.run_for(10ms);
    REQUIRE(world.t.dispatched.size() == 2);
    CHECK_FALSE(pins(world.t.dispatched[1].seam));
    world.reports(first, AttemptNo{1}, with_headers(1), left(30));
    REQUIRE(world.harness.ending(first).ok());

    world.reports(second, AttemptNo{1}, with_headers(2), left(25));
    REQUIRE(world.t.dispatched.size() == 3);
    CHECK(world.t.dispatched[2].task == second);
    CHECK(world.t.dispatched[2].attempt == AttemptNo{2});
    CHECK(world.t.dispatched[2].seam == left(30));
    REQUIRE(world.t.cancelled.size() == 1);
    CHECK(world.harness.endings.count(second) == 0);
    CHECK(world.t.name == "one");
    CHECK(world.harness.status().transcoders.front().failures == 0);  // nobody's fault

    SECTION("and committed when they fit") {
        world.reports(second, AttemptNo{2}, with_headers(1), left(30));
        CHECK(world.harness.ending(second).ok());
    }
    SECTION("and committed when they do not: players are told") {
        world.reports(second, AttemptNo{2}, with_headers(3), left(50));
        CHECK(world.harness.ending(second).ok());
        CHECK(world.t.dispatched.size() == 3);
    }
    CHECK(world.harness.noted(What::retry) == 1);
}

TEST_CASE("headers that differ late are committed as they are", "[orchestrator][seams]") {
    World world;
    const TaskId first = world.harness.accept("s", 1);
    const TaskId second = world.harness.accept("s", 2);
    world.harness.run_for(10ms);
    world.reports(first, AttemptNo{1}, with_headers(1), left(30));
    const auto task = [&](Duration done) {
        world.t.say(TaskProgress{second, AttemptNo{1}, TaskStage::running, to_ms(done) * 1000,
                                 2'000'000, 1});
    };
    for (int i = 1; i <= 32; ++i) {  // it makes progress until half of its time is over
        task(i * 50ms);
        world.harness.run_for(100ms);
    }
    REQUIRE(world.harness.endings.count(second) == 0);
    world.reports(second, AttemptNo{1}, with_headers(2), left(25));
    CHECK(world.harness.ending(second).ok());
    CHECK(world.harness.noted(What::retry) == 0);
}
