// Early attempts: a segment that goes on to its session's transcoder while its bytes still arrive.
#include "tests/support/catch.h"
#include "tests/support/core_harness.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::testing;

namespace {

using What = Noted::What;

// A session on "a", which has more room than "b"; segment 1 is answered.
struct World : Harness {
    explicit World(CoreConfig c = config()) : Harness(std::move(c)) {
        REQUIRE(ending(accept("s", 1)).ok());
        run_for(10ms);
        a.dispatched.clear();
        log.clear();
    }
    [[nodiscard]] const Dispatch& only_dispatch() const {
        REQUIRE(a.dispatched.size() == 1);
        return a.dispatched.front();
    }
    TaskId accepted_as(UploadId upload, const std::string& content) {
        const UploadOutcome outcome = finish(upload, content);
        REQUIRE(std::holds_alternative<TaskAccepted>(outcome));
        return std::get<TaskAccepted>(outcome).task;
    }
    FakeTranscoder& a = transcoder("a", 4);
    FakeTranscoder& b = transcoder("b", 3);
};

CoreConfig whole_only() {
    CoreConfig c = config();
    c.cut_through = false;
    return c;
}

}  // namespace

TEST_CASE("a session's next segment goes on while it arrives, and is answered once",
          "[orchestrator][early]") {
    World world;
    const UploadId upload = world.arriving("s", 2);
    world.run_for(1s);
    const Dispatch& d = world.only_dispatch();
    CHECK(d.bytes == 0);
    CHECK(d.segment.sha256 == Sha256{});
    CHECK(d.segment.seq == 2);
    CHECK(world.all<StartEarlyTransfer>().size() == 1);
    CHECK(world.all<Expect>().empty());  // nothing is promised before the body is here

    const TimePoint complete = world.now();
    const TaskId task = world.accepted_as(upload, "two");
    CHECK(task == d.task);
    REQUIRE(world.all<FinishTransfer>().size() == 1);
    CHECK(world.all<FinishTransfer>().front().transfer.task == task);
    const Ending& ending = world.ending(task);
    REQUIRE(ending.ok());
    CHECK(world.now() - complete < 200ms);  // what the fake works for; the rest was done before
    const auto& delivered = std::get<Deliver>(ending.how);
    CHECK(delivered.segment.sha256 == sha("two"));
    CHECK(delivered.queued == Duration{0});
    CHECK(world.a.dispatched.size() == 1);
    CHECK(world.commits.size() == 2);
}

TEST_CASE("only what is surely new, alone and on a transcoder at rest is begun early",
          "[orchestrator][early]") {
    World world;
    SECTION("not a session's first") {
        (void)world.arriving("other", 1);
    }
    SECTION("not a number that was seen") {
        (void)world.arriving("s", 1);
    }
    SECTION("not while its predecessor is at work") {
        world.a.manner.works_for = 1s;
        (void)world.accept("s", 2);
        world.run_for(10ms);
        world.a.dispatched.clear();
        (void)world.arriving("s", 3);
    }
    SECTION("not beside another upload") {
        (void)world.begin("s", 2);
        (void)world.arriving("s", 3);
    }
    world.run_for(500ms);
    CHECK(world.a.dispatched.empty());
    CHECK(world.all<StartEarlyTransfer>().empty());
}

TEST_CASE("cut-through can be switched off", "[orchestrator][early]") {
    World world(whole_only());
    (void)world.arriving("s", 2);
    world.run_for(500ms);
    CHECK(world.a.dispatched.empty());
}

TEST_CASE("an upload that waits for its predecessor is begun when that is committed, with its seam",
          "[orchestrator][early]") {
    World world;
    world.a.manner.works_for = 1s;
    const TaskId before = world.accept("s", 2);
    world.run_for(10ms);
    world.a.dispatched.clear();
    const UploadId upload = world.arriving("s", 3);
    world.run_for(500ms);
    CHECK(world.a.dispatched.empty());
    REQUIRE(world.ending(before).ok());
    world.run_for(10ms);
    CHECK(world.only_dispatch().segment.seq == 3);
    CHECK(world.ending(world.accepted_as(upload, "three")).ok());
}

TEST_CASE("a body that is cut short is undone", "[orchestrator][early]") {
    World world;
    const UploadId upload = world.arriving("s", 2);
    world.run_for(300ms);
    const TaskId early = world.only_dispatch().task;
    world.call([&](OrchestratorCore& core, TimePoint now) { core.abort_upload(upload, now); });
    world.run_for(10ms);
    REQUIRE(world.a.cancelled.size() == 1);
    CHECK(world.a.cancelled.front().task == early);
    CHECK(world.all<DropAttempt>().size() == 1);
    CHECK(world.commits.size() == 1);
    // The same number comes again, whole.
    CHECK(world.ending(world.accept("s", 2)).ok());
}

TEST_CASE("whoever is complete goes first", "[orchestrator][early]") {
    World world;
    const UploadId slow = world.arriving("s", 2);
    world.run_for(100ms);
    const TaskId third = world.accept("s", 3);
    world.run_for(10ms);
    CHECK(world.a.cancelled.size() == 1);
    CHECK(world.ending(third).ok());
    CHECK(world.ending(world.accepted_as(slow, "two")).ok());
}

TEST_CASE("a transcoder that is lost meanwhile costs the segment nothing but time",
          "[orchestrator][early]") {
    World world;
    const UploadId upload = world.arriving("s", 2);
    world.run_for(100ms);
    world.a.stop();
    world.call([&](OrchestratorCore& c, TimePoint now) { c.connection_lost(world.a.key, now); });
    world.run_for(100ms);
    const Ending& ending = world.ending(world.accepted_as(upload, "two"));
    REQUIRE(ending.ok());
    CHECK(std::get<Deliver>(ending.how).transcoder_name == "b");
}

TEST_CASE("a source whose transfer broke is sent anew when it is complete",
          "[orchestrator][early]") {
    World world;
    const UploadId upload = world.arriving("s", 2);
    world.run_for(100ms);
    const Dispatch early = world.only_dispatch();
    world.call([&](OrchestratorCore& core, TimePoint now) {
        core.transfer_failed({early.task, early.attempt, Direction::to_transcoder, 0}, world.a.key,
                             error(ErrorKind::disconnected, "as the test wants it"), now);
    });
    CHECK(world.ending(world.accepted_as(upload, "two")).ok());
    CHECK(world.all<FinishTransfer>().empty());
}

TEST_CASE("what an engine said of the first half counts once the segment is complete",
          "[orchestrator][early]") {
    World world;
    world.a.manner.fails_early = true;
    SECTION("bad input is bad input") {
        world.a.manner.fails_with = ErrorKind::bad_input;
        const UploadId upload = world.arriving("s", 2);
        world.run_for(500ms);
        CHECK(world.a.dispatched.size() == 1);
        const Ending& ending = world.ending(world.accepted_as(upload, "two"));
        REQUIRE_FALSE(ending.ok());
        CHECK(ending.code() == ApiCode::bad_segment);
        CHECK(world.b.dispatched.empty());
    }
    SECTION("a crash is an attempt, and its bytes are suspect") {
        world.a.manner.fails_with = ErrorKind::internal;
        world.a.manner.crashes = true;
        const UploadId upload = world.arriving("s", 2);
        world.run_for(500ms);
        world.b.manner.fails_with = ErrorKind::internal;
        world.b.manner.crashes = true;
        const Ending& ending = world.ending(world.accepted_as(upload, "two"));
        REQUIRE_FALSE(ending.ok());
        CHECK(ending.code() == ApiCode::bad_segment);  // twice: poison
        CHECK(world.a.dispatched.size() + world.b.dispatched.size() == 2);
        // From here on it is looked at whole.
        world.a.manner = world.b.manner = {};
        world.a.dispatched.clear();
        world.b.dispatched.clear();
        (void)world.arriving("s", 3);
        world.run_for(500ms);
        CHECK(world.a.dispatched.empty());
        CHECK(world.b.dispatched.empty());
    }
}

TEST_CASE("a result of half a segment is no result", "[orchestrator][early]") {
    World world;
    const UploadId upload = world.arriving("s", 2);
    world.run_for(100ms);
    const Dispatch early = world.only_dispatch();
    world.a.say(TaskFinished{early.task, early.attempt, report(early.ladder), {}});
    CHECK(world.commits.size() == 1);
    const Ending& ending = world.ending(world.accepted_as(upload, "two"));
    REQUIRE(ending.ok());
    CHECK(std::get<Deliver>(ending.how).transcoder_name == "b");
}

TEST_CASE("a session that ends while a segment arrives leaves nothing at work",
          "[orchestrator][early]") {
    World world;
    const UploadId upload = world.arriving("s", 2);
    world.run_for(100ms);
    const SessionId session = world.status().sessions.front().id;
    world.call([&](OrchestratorCore& core, TimePoint now) {
        CHECK_FALSE(core.end_session(session, EndReason::requested, now));
    });
    world.run_for(10ms);
    CHECK(world.a.cancelled.size() == 1);
    CHECK(world.a.sessions.empty());
    const UploadOutcome outcome = world.finish(upload, "two");
    REQUIRE(std::holds_alternative<Refusal>(outcome));
    CHECK(std::get<Refusal>(outcome).code == ApiCode::not_found);
}
