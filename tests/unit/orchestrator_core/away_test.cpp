// The orchestrator's own process was stopped, or its machine suspended.
#include "tests/support/catch.h"
#include "tests/support/core_harness.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::testing;

TEST_CASE("a silent connection that was closed while we were away is no loss",
          "[orchestrator][away]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    t.manner.works_for = 1s;
    const TaskId task = world.accept("cam", 1);
    world.run_for(200ms);
    world.call([&](OrchestratorCore& c, TimePoint now) { c.was_away({}, now); });
    t.manner.mute = true;  // its heartbeats are on a connection that is gone
    world.call([&](OrchestratorCore& c, TimePoint now) {
        c.connection_lost(t.key, now);
        c.payload_lane(t.key, t.nonce, false, now);
    });
    world.run_for(2s);
    CHECK(world.all<TranscoderChanged>().size() == 1);  // when it joined
    t.manner.mute = false;
    ++t.nonce;
    t.hello();
    CHECK(world.ending(task).ok());
    CHECK(world.state_of("one") == "ready");
    CHECK(world.all<TranscoderChanged>().size() == 1);
}

TEST_CASE("who does not come back after we were away is lost all the same",
          "[orchestrator][away]") {
    Harness world;
    FakeTranscoder& gone = world.transcoder("one");
    FakeTranscoder& other = world.transcoder("two");
    world.call([&](OrchestratorCore& c, TimePoint now) { c.was_away({}, now); });
    gone.stop();
    world.call([&](OrchestratorCore& c, TimePoint now) { c.connection_lost(gone.key, now); });
    world.run_for(4900ms);
    CHECK(world.state_of("one") == "ready");
    world.run_for(200ms);
    CHECK(world.state_of("one") == "lost");
    CHECK(world.state_of("two") == "ready");
    // From here on a connection that breaks is what it was before.
    world.call([&](OrchestratorCore& c, TimePoint now) { c.connection_lost(other.key, now); });
    CHECK(world.state_of("two") == "lost");
}

TEST_CASE("deadlines stand still while we are away", "[orchestrator][away]") {
    OrchestratorCore core(config());
    const TimePoint start = TimePoint{} + 1h;
    core.restore({{session_id("r"), {"news"}, {}, small_ladder(), 0, 1, true, false}}, {}, start);
    core.advance_to(start + 1s);
    const TimePoint back = start + 101s;
    core.was_away(100s, back);
    core.advance_to(back);
    REQUIRE(core.status().sessions.size() == 1);  // it ends after 70 s without a segment
    CHECK(core.status().sessions[0].started_at == start + 100s);
    CHECK(*core.next_deadline() > back);
    core.advance_to(back + 68s);
    CHECK(core.status().sessions.size() == 1);
    core.advance_to(back + 70s);
    CHECK(core.status().sessions.empty());
}
