// Sessions and their slots: affinity, idling, stealing, ending, shedding, restoring.
#include "tests/support/catch.h"
#include "tests/support/core_harness.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::testing;

namespace {

OpenOutcome open(Harness& world, const SessionRequest& request) {
    OpenOutcome outcome;
    world.call([&](OrchestratorCore& c, TimePoint now) { outcome = c.open_session(request, now); });
    return outcome;
}

std::optional<Refusal> end(Harness& world, const SessionId& id) {
    std::optional<Refusal> no;
    world.call([&](OrchestratorCore& c, TimePoint now) {
        no = c.end_session(id, EndReason::requested, now);
    });
    return no;
}

ApiCode refused(const UploadDecision& decision) {
    const auto* no = std::get_if<Refusal>(&decision);
    REQUIRE(no != nullptr);
    return no->code;
}

SessionId id_of(const Harness& world, const std::string& stream) {
    for (const SessionStatus& s : world.status().sessions)
        if (s.stream.value == stream)
            return s.id;
    return {};
}

void answer(Harness& world, const std::string& stream, std::uint64_t seq) {
    REQUIRE(world.ending(world.accept(stream, seq)).ok());
}

}  // namespace

TEST_CASE("a session keeps its transcoder, new ones go where most room is",
          "[orchestrator][sessions]") {
    Harness world;
    world.transcoder("a", 2);
    world.transcoder("b", 4);
    for (std::uint64_t seq = 1; seq <= 5; ++seq) {
        answer(world, "news", seq);
        CHECK(world.place_of("news") == "b");
        world.run_for(1s);
    }
    answer(world, "two", 1);
    answer(world, "three", 1);
    CHECK(world.status().capacity.sessions_active == 3);
    std::uint32_t load = 0;
    for (const TranscoderStatus& t : world.status().transcoders)
        load += t.load;
    CHECK(load == 3);
}

TEST_CASE("opening a session reserves nothing", "[orchestrator][sessions]") {
    Harness world;
    const SessionRequest request{session_id("x"), {"news"}, {}, std::nullopt};
    CHECK(std::holds_alternative<SessionOpened>(open(world, request)));  // also without transcoders
    CHECK(world.status().capacity.sessions_active == 0);
    const OpenOutcome again = open(world, {session_id("y"), {"news"}, {}, std::nullopt});
    REQUIRE(std::holds_alternative<SessionExists>(again));
    CHECK(std::get<SessionExists>(again).id == session_id("x"));
    const OpenOutcome foreign = open(world, {session_id("y"), {"news"}, {"other"}, std::nullopt});
    CHECK(std::get<Refusal>(foreign).code == ApiCode::forbidden);
    world.call([](OrchestratorCore& c, TimePoint now) { c.set_operator_limit(0u, now); });
    CHECK(std::get<Refusal>(open(world, {session_id("z"), {"z"}, {}, std::nullopt})).code ==
          ApiCode::orchestrator_capped);
    world.run_for(70s);
    CHECK(world.status().sessions.empty());  // 70 s without a segment
}

TEST_CASE("an idle session keeps its slot until somebody needs it, longest idle first",
          "[orchestrator][sessions]") {
    Harness world;
    world.transcoder("one", 2);
    answer(world, "old", 1);
    world.run_for(1s);
    answer(world, "young", 1);
    CHECK(refused(world.begin("new", 1)) == ApiCode::orchestrator_capped);
    world.run_for(12s);
    CHECK(world.status().capacity.sessions_active == 2);
    answer(world, "new", 1);
    CHECK(world.place_of("old").empty());
    CHECK(world.place_of("young") == "one");
    // It keeps its id, and gets a slot again when there is one.
    const SessionId id = id_of(world, "old");
    answer(world, "old", 2);
    CHECK(id_of(world, "old") == id);
    CHECK(world.place_of("young").empty());
    CHECK(refused(world.begin("young", 2)) == ApiCode::orchestrator_capped);
}

TEST_CASE("a session whose first segment is refused gives its slot back at once, and keeps its id",
          "[orchestrator][sessions]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one", 1);
    t.manner.fails_with = ErrorKind::bad_input;
    const TaskId bad = world.accept("broken", 1);
    CHECK(refused(world.begin("new", 1)) == ApiCode::orchestrator_capped);
    CHECK(world.ending(bad).code() == ApiCode::bad_segment);
    CHECK(world.status().capacity.sessions_active == 0);
    CHECK(world.place_of("broken").empty());
    const SessionId id = id_of(world, "broken");
    t.manner.fails_with.reset();
    answer(world, "new", 1);
    CHECK(refused(world.begin("broken", 2)) == ApiCode::orchestrator_capped);
    world.run_for(11s);  // "new" is idle
    answer(world, "broken", 2);
    CHECK(id_of(world, "broken") == id);
}

TEST_CASE("a refused first segment leaves the slot to what else of its session is here",
          "[orchestrator][sessions]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one", 1);
    t.manner.fails_with = ErrorKind::bad_input;
    const TaskId bad = world.accept("broken", 1);
    const UploadId second = world.arriving("broken", 2);
    CHECK(world.ending(bad).code() == ApiCode::bad_segment);
    CHECK(world.place_of("broken") == "one");
    world.call([&](OrchestratorCore& c, TimePoint now) { c.abort_upload(second, now); });
    CHECK(world.place_of("broken").empty());
    CHECK(world.status().capacity.sessions_active == 0);
}

TEST_CASE("a session that was answered once keeps its slot through a segment that fails",
          "[orchestrator][sessions]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one", 1);
    answer(world, "news", 1);
    t.manner.fails_with = ErrorKind::bad_input;
    CHECK(world.ending(world.accept("news", 2)).code() == ApiCode::bad_segment);
    CHECK(world.place_of("news") == "one");
    CHECK(refused(world.begin("new", 1)) == ApiCode::orchestrator_capped);
}

TEST_CASE("long segments make a session idle later", "[orchestrator][sessions]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one", 1);
    t.manner.measured = 8s;  // idle after 24 s
    answer(world, "long", 1);
    world.run_for(20s);
    CHECK(refused(world.begin("new", 1)) == ApiCode::orchestrator_capped);
    world.run_for(5s);
    answer(world, "new", 1);
}

TEST_CASE(
    "under a lowered limit a newcomer takes an idle session's place, not a free slot beside it",
    "[orchestrator][sessions]") {
    Harness world;
    world.transcoder("one", 8);
    world.call([](OrchestratorCore& c, TimePoint now) { c.set_operator_limit(1u, now); });
    answer(world, "a", 1);
    world.run_for(11s);
    answer(world, "b", 1);
    CHECK(world.status().capacity.sessions_active == 1);
    CHECK(world.place_of("a").empty());
}

TEST_CASE("a session ends after seventy seconds without a segment", "[orchestrator][sessions]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    answer(world, "a", 1);
    world.run_for(69s);
    CHECK(world.status().sessions.size() == 1);
    world.run_for(1s);
    CHECK(world.status().sessions.empty());
    const auto ended = world.all<SessionEnded>();
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].reason == EndReason::idle);
    CHECK(world.all<PersistSession>().back().ended);
    world.run_for(5ms);
    CHECK(t.sessions.empty());
    CHECK(world.status().capacity.sessions_active == 0);
}

TEST_CASE("an ended session is reopened by its token under the same id and run",
          "[orchestrator][sessions]") {
    Harness world;
    world.transcoder("one");
    answer(world, "a", 40);
    const SessionId id = id_of(world, "a");
    world.run_for(80s);
    UploadRequest r = world.request("a", 41);
    r.session = id;
    const UploadDecision decision = world.begin(r);
    REQUIRE(std::holds_alternative<UploadAdmitted>(decision));
    const UploadOutcome outcome = world.finish(std::get<UploadAdmitted>(decision).upload, "a/41");
    CHECK(world.ending(std::get<TaskAccepted>(outcome).task).ok());
    CHECK(id_of(world, "a") == id);
    // Ended on request: a segment is 404, opening it again is allowed.
    CHECK_FALSE(end(world, id));
    CHECK(refused(world.begin(r)) == ApiCode::not_found);
    CHECK(std::holds_alternative<SessionOpened>(open(world, {id, {"a"}, {}, std::nullopt})));
    CHECK(std::holds_alternative<UploadAdmitted>(world.begin(r)));
    CHECK(std::get<Refusal>(open(world, {id, {"b"}, {}, std::nullopt})).code == ApiCode::forbidden);
}

TEST_CASE("ending a session answers what runs and turns away what waits",
          "[orchestrator][sessions]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one", 1);
    t.manner.works_for = 1s;
    const TaskId running = world.accept("a", 1);
    const TaskId waiting = world.accept("a", 2);
    const UploadDecision arriving = world.begin("a", 3);
    world.run_for(300ms);
    const SessionId id = id_of(world, "a");
    CHECK_FALSE(end(world, id));
    CHECK(world.endings.at(waiting).code() == ApiCode::not_found);
    CHECK(world.noted(Noted::What::segment_cancelled) == 1);
    CHECK(std::get<Refusal>(world.finish(std::get<UploadAdmitted>(arriving).upload, "a/3")).code ==
          ApiCode::not_found);
    CHECK(world.ending(running).ok());
    world.run_for(5ms);
    CHECK(t.sessions.empty());
    CHECK(end(world, id)->code == ApiCode::not_found);
    answer(world, "b", 1);  // the slot is free
}

TEST_CASE("ending a session frees its slot and its name at once when nothing runs",
          "[orchestrator][sessions]") {
    Harness world;
    world.transcoder("one", 1);
    answer(world, "a", 1);
    CHECK(refused(world.begin("b", 1)) == ApiCode::orchestrator_capped);
    CHECK_FALSE(end(world, id_of(world, "a")));
    CHECK(world.status().capacity.sessions_active == 0);
    UploadRequest r = world.request("a", 1);
    r.account = {"somebody else"};
    CHECK(std::holds_alternative<UploadAdmitted>(world.begin(r)));
}

TEST_CASE("sessions of a lost transcoder move, the oldest first", "[orchestrator][sessions]") {
    Harness world;
    FakeTranscoder& a = world.transcoder("a", 3);
    for (const char* stream : {"s1", "s2", "s3"})
        answer(world, stream, 1);
    world.transcoder("b", 2);
    a.stop();
    world.run_for(100ms);
    world.call([&](OrchestratorCore& c, TimePoint now) { c.connection_lost(a.key, now); });
    CHECK(world.state_of("a") == "lost");
    CHECK(world.place_of("s1") == "b");
    CHECK(world.place_of("s2") == "b");
    CHECK(world.place_of("s3").empty());
    // It waits five seconds by right, then it is shed, and comes in as anybody else.
    const TaskId waiting = world.accept("s3", 2);
    answer(world, "s1", 2);
    const Ending& shed = world.ending(waiting);
    CHECK(shed.code() == ApiCode::orchestrator_capped);
    CHECK(std::get<Fail>(shed.how).refusal.retry_after);
    CHECK(world.noted(Noted::What::session_shed) == 1);
    CHECK(refused(world.begin("s3", 3)) == ApiCode::orchestrator_capped);
    answer(world, "s2", 2);
    CHECK(world.endings.size() == 6);
}

TEST_CASE("what fits nowhere is shed newest first", "[orchestrator][sessions]") {
    Harness world;
    FakeTranscoder& a = world.transcoder("a", 3);
    std::vector<TaskId> tasks;
    for (const char* stream : {"s1", "s2", "s3"}) {
        answer(world, stream, 1);
        world.run_for(10ms);
    }
    a.stop();
    world.call([&](OrchestratorCore& c, TimePoint now) { c.connection_lost(a.key, now); });
    for (const char* stream : {"s1", "s2", "s3"}) {
        const UploadDecision in = world.begin(stream, 2);  // no transcoder at all, but they had one
        REQUIRE(std::holds_alternative<UploadAdmitted>(in));
        tasks.push_back(
            std::get<TaskAccepted>(world.finish(std::get<UploadAdmitted>(in).upload, stream)).task);
    }
    world.log.clear();
    world.run_for(5s);
    std::vector<TaskId> shed;
    for (const Fail& fail : world.all<Fail>())
        shed.push_back(fail.task);
    CHECK(shed == std::vector<TaskId>(tasks.rbegin(), tasks.rend()));
}

TEST_CASE("an idle session of a lost transcoder is not placed anew until it sends",
          "[orchestrator][sessions]") {
    Harness world;
    FakeTranscoder& a = world.transcoder("a", 2);
    answer(world, "s", 1);
    world.run_for(12s);
    world.transcoder("b", 2);
    a.stop();
    world.call([&](OrchestratorCore& c, TimePoint now) { c.connection_lost(a.key, now); });
    CHECK(world.status().capacity.sessions_active == 0);
    answer(world, "s", 2);
    CHECK(world.place_of("s") == "b");
}

TEST_CASE("a slot that becomes idle goes to a session that waits", "[orchestrator][sessions]") {
    Harness world;
    FakeTranscoder& a = world.transcoder("a", 1);
    answer(world, "mover", 1);
    world.transcoder("b", 1);
    answer(world, "quiet", 1);
    world.run_for(8s);
    answer(world, "mover", 2);
    a.stop();
    world.call([&](OrchestratorCore& c, TimePoint now) { c.connection_lost(a.key, now); });
    CHECK(world.place_of("mover").empty());
    answer(world, "mover", 3);  // some two seconds later, before it would be shed
    CHECK(world.place_of("mover") == "b");
    CHECK(world.place_of("quiet").empty());
}

TEST_CASE("a running session waits for its transcoder to come back", "[orchestrator][sessions]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one", 1);
    answer(world, "a", 1);
    t.stop();
    world.call([&](OrchestratorCore& c, TimePoint now) { c.connection_lost(t.key, now); });
    const TaskId task = world.accept("a", 2);
    CHECK(refused(world.begin("new", 1)) == ApiCode::no_transcoders);
    world.later(2s, [&] { t.restart(); });
    CHECK(world.ending(task).ok());
    CHECK(world.place_of("a") == "one");
}

TEST_CASE("restored live sessions wait for transcoders, new ones do not",
          "[orchestrator][sessions]") {
    Harness world;
    world.call([](OrchestratorCore& c, TimePoint now) {
        c.restore({{session_id("r"), {"news"}, {}, small_ladder(), 3, 20, true, false},
                   {session_id("e"), {"gone"}, {}, small_ladder(), 0, 9, true, true}},
                  {{key("one"), "one"}}, now);
    });
    CHECK(world.status().sessions.size() == 1);
    CHECK(refused(world.begin("new", 1)) == ApiCode::no_transcoders);
    UploadRequest r = world.request("news", 21);
    r.session = session_id("r");
    const UploadDecision in = world.begin(r);
    REQUIRE(std::holds_alternative<UploadAdmitted>(in));
    const UploadOutcome outcome = world.finish(std::get<UploadAdmitted>(in).upload, "x");
    world.run_for(2500ms);
    world.transcoder("one", 1);
    const Ending& ending = world.ending(std::get<TaskAccepted>(outcome).task);
    REQUIRE(ending.ok());
    CHECK(std::get<Deliver>(ending.how).segment.run == 3);
    // Run and number were restored: a source that starts over is noticed.
    const TaskId restart = world.accept("news", 1);
    REQUIRE(world.ending(restart).ok());
    CHECK(std::get<Deliver>(world.endings.at(restart).how).segment.run == 4);
    UploadRequest reopened = world.request("gone", 10);
    reopened.session = session_id("e");
    CHECK(refused(world.begin(reopened)) == ApiCode::orchestrator_capped);  // known, but no slot
}

TEST_CASE("after reconciliation a restored session needs a transcoder like any other",
          "[orchestrator][sessions]") {
    Harness world;
    world.call([](OrchestratorCore& c, TimePoint now) {
        c.restore({{session_id("r"), {"news"}, {}, small_ladder(), 0, 1, true, false}}, {}, now);
    });
    world.run_for(5100ms);
    CHECK(refused(world.begin("news", 2)) == ApiCode::no_transcoders);
}

TEST_CASE("a repeated number after a restart is transcoded again under the same run",
          "[orchestrator][identity]") {
    Harness world;
    world.transcoder("one");
    world.call([](OrchestratorCore& c, TimePoint now) {
        c.restore({{session_id("r"), {"news"}, {}, small_ladder(), 2, 9, true, false}}, {}, now);
    });
    const TaskId again = world.accept("news", 9);
    REQUIRE(world.ending(again).ok());
    CHECK(std::get<Deliver>(world.endings.at(again).how).segment.run == 2);
}

TEST_CASE("a session without a compatible home is not helped by idle slots elsewhere",
          "[orchestrator][sessions]") {
    Harness world;
    FakeTranscoder& hevc = world.silent_transcoder("hevc", 1);
    hevc.capabilities.encode.push_back(VideoCodec::hevc);
    hevc.hello();
    world.run_for(5ms);
    world.transcoder("plain", 1);
    UploadRequest r = world.request("h1", 1);
    Ladder ladder = small_ladder();
    ladder[0].codec = VideoCodec::hevc;
    r.ladder = ladder;
    const UploadDecision in = world.begin(r);
    REQUIRE(
        world
            .ending(std::get<TaskAccepted>(world.finish(std::get<UploadAdmitted>(in).upload, "h1"))
                        .task)
            .ok());
    CHECK(world.place_of("h1") == "hevc");
    answer(world, "p1", 1);
    UploadRequest second = world.request("h2", 1);
    second.fresh_id = session_id("h2");
    second.ladder = ladder;
    world.run_for(9s);
    CHECK(refused(world.begin(second)) == ApiCode::orchestrator_capped);
    world.run_for(3s);
    const UploadDecision later = world.begin(second);  // now h1 is idle
    REQUIRE(std::holds_alternative<UploadAdmitted>(later));
    REQUIRE(world
                .ending(std::get<TaskAccepted>(
                            world.finish(std::get<UploadAdmitted>(later).upload, "h2"))
                            .task)
                .ok());
    CHECK(world.place_of("h2") == "hevc");
    CHECK(world.place_of("p1") == "plain");
}

// Found by the simulator, seed 6495: the session looked for an idle one to replace and found itself.
TEST_CASE("an idle session whose slot is not given back lets it go quietly",
          "[orchestrator][sessions]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one", 1);
    REQUIRE(world.ending(world.accept("s", 1)).ok());
    world.run_for(15s);
    t.sessions.clear();  // its heartbeats name the session no more
    t.manner.answers_reserve = false;
    world.run_for(5s);
    CHECK(world.core().status().capacity.sessions_active == 0);
    t.manner.answers_reserve = true;
    CHECK(world.ending(world.accept("s", 2)).ok());
}
