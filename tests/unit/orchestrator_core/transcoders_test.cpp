// Joining, fencing, leases, lanes, heartbeats, and the operator's commands.
#include "tests/support/catch.h"
#include "tests/support/core_harness.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::testing;

namespace {

using What = Noted::What;
using Command = OrchestratorCore::TranscoderCommand;

template <class M>
std::size_t heard(const FakeTranscoder& t) {
    std::size_t count = 0;
    for (const ToTranscoder& m : t.heard)
        count += std::holds_alternative<M>(m) ? 1 : 0;
    return count;
}

Result<void> command(Harness& world, const std::string& name, Command what) {
    Result<void> result;
    world.call([&](OrchestratorCore& c, TimePoint now) { result = c.command(name, what, now); });
    return result;
}

void answer(Harness& world, const std::string& stream, std::uint64_t seq) {
    REQUIRE(world.ending(world.accept(stream, seq)).ok());
}

}  // namespace

TEST_CASE("a transcoder is ready when both lanes are up under one nonce",
          "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& t = world.silent_transcoder("one");
    t.manner.mute = false;
    t.hello();
    CHECK_FALSE(world.core().any_transcoder_ready());
    world.call([&](OrchestratorCore& c, TimePoint now) { c.payload_lane(t.key, 99, true, now); });
    CHECK_FALSE(world.core().any_transcoder_ready());
    world.run_for(5ms);  // Welcome, then its payload lane
    CHECK(world.core().any_transcoder_ready());
    const auto welcome = std::find_if(t.heard.begin(), t.heard.end(), [](const ToTranscoder& m) {
        return std::holds_alternative<Welcome>(m);
    });
    REQUIRE(welcome != t.heard.end());
    CHECK(std::get<Welcome>(*welcome) == Welcome{"one", "127.0.0.1:8937", 1000, 3000});
    const auto changes = world.all<TranscoderChanged>();
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].state == "ready");
    CHECK(world.status().transcoders.at(0).capacity == 2);
}

TEST_CASE("a transcoder back from silence needs no new payload lane when the old one never broke",
          "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    t.manner.mute = true;
    world.run_for(5s);
    CHECK(world.state_of("one") == "lost");
    t.manner.mute = false;
    t.hello();
    CHECK(world.core().any_transcoder_ready());  // before it says a word on its payload lane
}

TEST_CASE("another protocol major is refused", "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& t = world.silent_transcoder("one");
    Hello m;
    m.protocol_major = kProtocolMajor + 1;
    t.say(m);
    world.run_for(5ms);
    REQUIRE(heard<JoinRefused>(t) == 1);
    CHECK(std::get<JoinRefused>(t.heard[0]).reason == JoinRefusal::protocol);
    CHECK(world.status().transcoders.empty());
}

TEST_CASE("who speaks without a record, or under another epoch, is asked who it is",
          "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& t = world.silent_transcoder("one");
    t.beat();
    world.run_for(5ms);
    CHECK(heard<WhoAreYou>(t) == 1);
    CHECK(world.core().any_transcoder_ready());  // it said Hello then
    t.epoch = Epoch{6};
    t.beat();
    CHECK(world.noted(What::stale_epoch) == 1);
    world.run_for(5ms);
    CHECK(heard<WhoAreYou>(t) == 2);
}

TEST_CASE("only the epoch, incarnation and attempt on record commit",
          "[orchestrator][transcoders]") {
    // All combinations of one wrong fence value or more: nothing of them counts.
    for (int wrong = 1; wrong < 8; ++wrong) {
        INFO("wrong bits " << wrong);
        Harness world;
        FakeTranscoder& t = world.transcoder("one");
        t.manner.never_starts = true;
        const TaskId task = world.accept("s", 1);
        world.run_for(10ms);
        const auto report_of = report(small_ladder());
        world.call([&](OrchestratorCore& c, TimePoint now) {
            for (const RenditionReport& r : report_of.renditions)
                c.rendition_received({task, AttemptNo{1}, Direction::to_orchestrator, r.index},
                                     t.key, r.bytes, r.sha256, now);
            const Fence fence{Epoch{(wrong & 1) != 0 ? 6U : 7U},
                              Incarnation{(wrong & 2) != 0 ? 8U : 1U}};
            const AttemptNo attempt{(wrong & 4) != 0 ? 2U : 1U};
            c.on_message(t.key, {fence, TaskFinished{task, attempt, report_of, {}}}, now);
        });
        CHECK(world.commits.empty());
        CHECK(world.noted(What::stale_epoch) + world.noted(What::stale_incarnation) +
                  world.noted(What::stale_attempt) ==
              1);
        t.say(TaskFinished{task, AttemptNo{1}, report_of, {}});
        CHECK(world.commits.size() == 1);
    }
}

TEST_CASE("a new incarnation fences the old one", "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one", 1);
    t.manner.works_for = 2s;
    const TaskId task = world.accept("s", 1);
    world.run_for(500ms);
    t.manner.works_for = 100ms;
    t.restart();
    CHECK(world.noted(What::attempt_lost) == 1);
    world.run_for(5ms);
    // What the old life still says is neither heard nor answered.
    const Incarnation live = t.incarnation;
    t.incarnation = Incarnation{1};
    t.heard.clear();
    t.beat();
    t.hello();
    world.run_for(5ms);
    CHECK(heard<WhoAreYou>(t) == 0);
    CHECK(heard<Welcome>(t) == 0);
    CHECK(world.noted(What::stale_incarnation) >= 2);
    t.incarnation = live;
    CHECK(world.ending(task).ok());
}

TEST_CASE("a heartbeat of an incarnation we have not met is asked about",
          "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one", 1);
    t.heard.clear();
    t.incarnation = Incarnation{55};
    t.nonce = 56;
    t.beat();
    world.run_for(10ms);
    CHECK(heard<WhoAreYou>(t) == 1);
    CHECK(heard<Welcome>(t) >= 1);
    CHECK(world.core().any_transcoder_ready());
}

TEST_CASE("held tasks of the same life go on after a new connection, others are cancelled",
          "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one", 2);
    t.manner.works_for = 1s;
    const TaskId kept = world.accept("s", 1);
    const TaskId forgotten = world.accept("s", 2);
    world.run_for(100ms);
    Hello m;
    m.name = "one";
    m.nonce = t.nonce = 2;
    m.slots = 2;
    m.capabilities = cpu_capabilities();
    m.held = {{kept, AttemptNo{1}}, {TaskId{77}, AttemptNo{1}}};
    m.held_epoch = t.epoch;
    t.say(m);
    t.payload_lane(true);
    world.run_for(5ms);
    REQUIRE(t.cancelled.size() == 1);
    CHECK(t.cancelled[0].task == TaskId{77});
    CHECK(world.noted(What::attempt_lost) == 1);
    CHECK(world.ending(kept).ok());
    CHECK(std::get<Deliver>(world.endings.at(kept).how).attempt == AttemptNo{1});
    CHECK(world.ending(forgotten).ok());
    CHECK(std::get<Deliver>(world.endings.at(forgotten).how).attempt == AttemptNo{2});
    // A Hello of the connection before, late: dropped.
    m.nonce = 1;
    t.say(m);
    CHECK(world.noted(What::stale_duplicate) == 1);
    CHECK(world.core().any_transcoder_ready());
}

TEST_CASE("held tasks of another epoch are cancelled", "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& t = world.silent_transcoder("one");
    Hello m;
    m.name = "one";
    m.held = {{TaskId{1}, AttemptNo{1}}};
    m.held_epoch = Epoch{6};
    t.say(m);
    world.run_for(5ms);
    CHECK(t.cancelled.size() == 1);
}

TEST_CASE("heartbeats are acknowledged and keep the lease; payload does, too",
          "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    world.run_for(20s);
    CHECK(world.state_of("one") == "ready");
    CHECK(heard<HeartbeatAck>(t) >= 19);
    t.manner.mute = true;
    for (int i = 0; i < 5; ++i) {
        world.run_for(2s);
        world.call([&](OrchestratorCore& c, TimePoint now) {
            c.transfer_progress({TaskId{1}, AttemptNo{1}, Direction::to_transcoder, 0}, t.key, now);
        });
    }
    CHECK(world.state_of("one") == "ready");
    world.run_for(3s);
    CHECK(world.state_of("one") == "lost");
    // Back from SIGSTOP: asked, then ready again.
    t.manner.mute = false;
    world.run_for(1100ms);
    CHECK(world.state_of("one") == "ready");
}

TEST_CASE("a payload lane that is down keeps its sessions for a lease, then they move",
          "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("a", 2);
    answer(world, "s", 1);
    t.payload_lane(false);
    CHECK(world.state_of("a") == "lost");
    CHECK(world.place_of("s") == "a");
    const TaskId waits = world.accept("s", 2);
    world.run_for(1s);
    CHECK_FALSE(world.endings.contains(waits));
    t.payload_lane(true);
    CHECK(world.ending(waits).ok());
    t.payload_lane(false);
    world.transcoder("b", 2);
    answer(world, "s", 3);  // another has room: no waiting
    CHECK(world.place_of("s") == "b");
    answer(world, "s", 4);
    t.payload_lane(true);
    world.run_for(2s);
    CHECK(world.place_of("s") == "b");
}

TEST_CASE("heartbeats reconcile leaked slots, in both directions", "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one", 2);
    answer(world, "s", 1);
    const SessionId ours = *t.sessions.begin();
    t.sessions.insert(session_id("leaked"));
    world.run_for(1100ms);
    CHECK_FALSE(t.sessions.contains(session_id("leaked")));
    // One we hold that the transcoder forgot is reserved again.
    t.sessions.clear();
    world.run_for(2100ms);
    CHECK(t.sessions.contains(ours));
    CHECK(heard<Reserve>(t) == 2);
    answer(world, "s", 2);
    // Until it is granted again nothing is sent into it.
    t.sessions.clear();
    t.manner.answers_reserve = false;
    world.run_for(1500ms);
    const std::size_t before = t.dispatched.size();
    const TaskId waits = world.accept("s", 3);
    world.run_for(10ms);
    CHECK(t.dispatched.size() == before);
    t.manner.answers_reserve = true;
    CHECK(world.ending(waits).ok());
    // A grant that we no longer wait for is released.
    t.sessions.insert(session_id("late"));
    t.say(SlotGranted{ReservationId{99}, session_id("late"), 0});
    world.run_for(5ms);
    CHECK_FALSE(t.sessions.contains(session_id("late")));
}

TEST_CASE("slots that other orchestrators hold are not ours to give",
          "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("shared", 2);
    t.say(Heartbeat{1, 2, 1, 0, false, {}, {}, 0, 0});  // one free, none ours
    answer(world, "a", 1);
    CHECK(std::get<Refusal>(world.begin("b", 1)).code == ApiCode::orchestrator_capped);
    world.run_for(2s);  // its next own heartbeat: nobody else there
    answer(world, "b", 1);
}

TEST_CASE("a lowered claim drains without cutting work", "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one", 3);
    answer(world, "a", 1);
    answer(world, "b", 1);
    t.slots = 1;
    t.beat();
    CHECK(world.status().transcoders.at(0).capacity == 1);
    CHECK(world.status().transcoders.at(0).load == 2);
    answer(world, "a", 2);
    answer(world, "b", 2);
    CHECK(std::get<Refusal>(world.begin("c", 1)).code == ApiCode::orchestrator_capped);
    for (const std::uint32_t claim : {0U, 0x7fffffffU, 1U, 0xffffffffU}) {
        t.say(
            Heartbeat{1, claim, claim, 0, false, {}, {t.sessions.begin(), t.sessions.end()}, 0, 0});
        CHECK(world.status().transcoders.at(0).capacity == std::min(claim, kSlotsMax));
    }
}

TEST_CASE("a transcoder without slots keeps its sessions and gets no new one",
          "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one", 2);
    answer(world, "a", 1);
    t.slots = 0;  // its GPUs are in quarantine
    t.beat();
    CHECK(world.status().transcoders.at(0).capacity == 0);
    CHECK(world.status().transcoders.at(0).load == 1);
    answer(world, "a", 2);  // the CPU goes on with it
    const auto refused = std::get<Refusal>(world.begin("b", 1));
    CHECK(refused.code == ApiCode::orchestrator_capped);
    CHECK_THAT(refused.detail, Catch::Contains("transcoders"));
    // Nor when the one it had is gone, or after it joined anew.
    t.sessions.clear();
    t.beat();
    CHECK(world.status().transcoders.at(0).capacity == 0);
    FakeTranscoder& fresh = world.transcoder("two", 0);
    CHECK(world.status().transcoders.at(1).capacity == 0);
    CHECK(std::get<Refusal>(world.begin("c", 1)).code == ApiCode::orchestrator_capped);
    fresh.slots = 1;
    fresh.beat();
    answer(world, "c", 1);
}

TEST_CASE("a drained transcoder finishes what it has and gets nothing new",
          "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& a = world.transcoder("a", 3);
    world.transcoder("b", 2);
    a.manner.works_for = 1s;
    const TaskId running = world.accept("s", 1);
    world.run_for(200ms);
    REQUIRE(command(world, "a", Command::drain));
    world.run_for(5ms);
    CHECK(heard<DrainRequest>(a) == 1);
    CHECK(world.state_of("a") == "draining");
    const TaskId next = world.accept("s", 2);
    CHECK(std::get<Deliver>(world.ending(running).how).transcoder_name == "a");
    CHECK(std::get<Deliver>(world.ending(next).how).transcoder_name == "b");
    world.run_for(5ms);
    CHECK(a.sessions.empty());
    CHECK_FALSE(command(world, "a", Command::uncordon));
    CHECK_FALSE(command(world, "nobody", Command::drain));
    a.say(Goodbye{"drained"});
    CHECK(world.state_of("a") == "absent");
    CHECK(world.all<TranscoderChanged>().back().state == "left");
    a.restart();
    world.run_for(5ms);
    CHECK(world.state_of("a") == "ready");
}

TEST_CASE("a transcoder that says it leaves is drained", "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& a = world.transcoder("a", 3);
    answer(world, "s", 1);
    world.transcoder("b", 2);
    a.draining = true;
    a.say(Leaving{30'000});
    CHECK(world.state_of("a") == "draining");
    CHECK(world.place_of("s") == "b");
    answer(world, "s", 2);
}

TEST_CASE("cordoned: what is there stays, nothing new comes", "[orchestrator][transcoders]") {
    Harness world;
    world.transcoder("a", 3);
    answer(world, "s", 1);
    REQUIRE(command(world, "a", Command::cordon));
    CHECK(world.state_of("a") == "cordoned");
    answer(world, "s", 2);
    CHECK(std::get<Refusal>(world.begin("new", 1)).code == ApiCode::no_transcoders);
    REQUIRE(command(world, "a", Command::uncordon));
    answer(world, "new", 1);
    const TranscoderKey a = key("a");
    CHECK(world.all<KeepCordon>() == std::vector{KeepCordon{a, true}, KeepCordon{a, false}});
}

TEST_CASE("cordoned: a restart of the orchestrator changes nothing",
          "[orchestrator][transcoders]") {
    Harness world;
    world.call([](OrchestratorCore& c, TimePoint now) {
        c.restore({}, {{key("a"), "a", std::nullopt, true}}, now);
    });
    world.transcoder("a", 3);
    CHECK(world.state_of("a") == "cordoned");
    REQUIRE(command(world, "a", Command::uncordon));
    CHECK(world.state_of("a") == "ready");
}

TEST_CASE("a revoked key counts no more until it is admitted again",
          "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    t.manner.works_for = 1s;
    const TaskId task = world.accept("s", 1);
    world.run_for(100ms);
    world.call([&](OrchestratorCore& c, TimePoint now) { c.revoke(t.key, now); });
    CHECK(world.noted(What::attempt_lost) == 1);
    CHECK(world.state_of("one") == "absent");
    t.heard.clear();
    t.hello();
    t.beat();
    world.run_for(5ms);
    CHECK(t.heard.empty());
    world.call([&](OrchestratorCore& c, TimePoint) { c.readmit(t.key); });
    t.restart();
    CHECK(world.ending(task).ok());
}

// Found by the simulator, seed 2751: the record was read after it was forgotten.
TEST_CASE("a result at the store is delivered also when its transcoder is revoked meanwhile",
          "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    world.store_answers = false;
    const TaskId task = world.accept("s", 1);
    world.run_for(5s);
    REQUIRE(world.commits.size() == 1);
    world.call([&](OrchestratorCore& c, TimePoint now) { c.revoke(t.key, now); });
    world.call(
        [&](OrchestratorCore& c, TimePoint now) { c.committed(task, AttemptNo{1}, {}, now); });
    CHECK(world.endings.at(task).ok());
}

TEST_CASE("a lost transcoder stays in sight for ten minutes", "[orchestrator][transcoders]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    t.stop();
    world.run_for(4s);
    CHECK(world.state_of("one") == "lost");
    world.run_for(9min);
    CHECK(world.state_of("one") == "lost");
    world.run_for(2min);
    CHECK(world.state_of("one") == "absent");
    CHECK_FALSE(world.core().next_deadline());
}

TEST_CASE("the same calls at the same times give the same effects", "[orchestrator][transcoders]") {
    const auto run = [] {
        Harness world;
        FakeTranscoder& a = world.transcoder("a", 2);
        world.transcoder("b", 2);
        for (std::uint64_t seq = 1; seq <= 4; ++seq)
            for (const char* stream : {"x", "y", "z"})
                (void)world.push(stream, seq);
        world.run_for(300ms);
        a.stop();
        world.run_for(20s);
        return world.log;
    };
    CHECK(run() == run());
}
