// Attempts: what goes wrong with them, and what that means for the segment.
#include "orchestrator/core/limits.h"
#include "tests/support/catch.h"
#include "tests/support/core_harness.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::testing;

namespace {

using What = Noted::What;

// Two transcoders, "a" preferred (more room).
struct Pair {
    explicit Pair(CoreConfig c = config()) : world(std::move(c)) {}
    Harness world;
    FakeTranscoder& a = world.transcoder("a", 4);
    FakeTranscoder& b = world.transcoder("b", 3);
};

std::string by(const Ending& ending) {
    REQUIRE(ending.ok());
    return std::get<Deliver>(ending.how).transcoder_name;
}

void lost(Harness& world, FakeTranscoder& t) {
    t.stop();
    world.call([&](OrchestratorCore& c, TimePoint now) { c.connection_lost(t.key, now); });
}

}  // namespace

TEST_CASE("all segments in flight are sent ahead and answered in order",
          "[orchestrator][attempts]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    t.manner.works_for = 1s;
    std::vector<TaskId> tasks;
    for (std::uint64_t seq = 1; seq <= 4; ++seq)
        tasks.push_back(world.accept("a", seq));
    world.run_for(100ms);
    CHECK(t.dispatched.size() == 4);
    for (const TaskId task : tasks)
        CHECK(world.ending(task).ok());
    CHECK(world.noted(What::attempt_stalled) == 0);  // waiting is not being stuck
    CHECK(world.noted(What::retry) == 0);
}

TEST_CASE("an attempt without progress ends after 1.5 s and moves with its session",
          "[orchestrator][attempts]") {
    Pair p;
    p.a.manner.hangs = true;
    const TimePoint start = p.world.now();
    const TaskId first = p.world.accept("s", 1);
    const TaskId second = p.world.accept("s", 2);
    CHECK(by(p.world.ending(first)) == "b");
    CHECK(p.world.now() - start < 2s);
    CHECK(by(p.world.ending(second)) == "b");
    CHECK(p.world.place_of("s") == "b");
    CHECK(p.world.noted(What::attempt_stalled) == 1);
    p.world.run_for(10ms);
    CHECK(p.a.sessions.empty());
    REQUIRE_FALSE(p.a.cancelled.empty());
    CHECK(p.a.cancelled[0].reason == CancelReason::stalled);
}

TEST_CASE("a transfer that does not move is no progress either", "[orchestrator][attempts]") {
    Pair p;
    p.a.manner.never_starts = true;
    CHECK(by(p.world.ending(p.world.accept("s", 1))) == "b");
    p.a.manner.never_starts = false;
    p.b.manner.keeps_renditions = true;
    CHECK(by(p.world.ending(p.world.accept("s", 2))) == "a");
}

TEST_CASE("a lost transcoder's segments go elsewhere at once, also beyond the retry budget",
          "[orchestrator][attempts]") {
    Pair p;
    p.a.manner.works_for = 1s;
    std::vector<TaskId> tasks;
    for (std::uint64_t seq = 1; seq <= 3; ++seq)
        tasks.push_back(p.world.accept("s", seq));
    p.world.run_for(500ms);
    lost(p.world, p.a);
    for (const TaskId task : tasks)
        CHECK(by(p.world.ending(task)) == "b");
    CHECK(p.world.noted(What::attempt_lost) == 3);
    const auto drops = p.world.all<DropAttempt>();
    CHECK(drops.size() == 3);
    for (const TaskId task : tasks)
        CHECK(std::get<Deliver>(p.world.endings.at(task).how).attempt == AttemptNo{2});
}

TEST_CASE("a silent transcoder is lost when its lease ends", "[orchestrator][attempts]") {
    Pair p;
    p.a.manner.works_for = 5s;
    p.a.manner.measured = 10s;
    const TaskId task = p.world.accept("s", 1);
    p.world.run_for(300ms);
    p.a.manner.mute = true;
    const TimePoint silent = p.world.now();
    REQUIRE(p.world.run_until([&] { return p.world.state_of("a") == "lost"; }));
    CHECK(p.world.now() - silent <= 3s);
    CHECK(by(p.world.ending(task)) == "b");
}

TEST_CASE("errors decide by kind", "[orchestrator][attempts]") {
    struct Row {
        ErrorKind kind;
        bool turned_away;
        std::optional<ApiCode>
            alone;  // with one transcoder; nothing = would be delivered elsewhere
        bool elsewhere;
    };
    const std::vector<Row> rows{
        {ErrorKind::bad_input, false, ApiCode::bad_segment, false},
        {ErrorKind::unsupported, false, ApiCode::no_compatible_transcoders, true},
        {ErrorKind::device, false, ApiCode::transcode_failed, true},
        {ErrorKind::internal, false, ApiCode::transcode_failed, true},
        {ErrorKind::timeout, false, ApiCode::transcode_failed, true},
        {ErrorKind::disconnected, false, ApiCode::transcode_failed, true},
        {ErrorKind::overloaded, true, ApiCode::deadline_exceeded, true},
    };
    for (const Row& row : rows) {
        INFO(to_string(row.kind));
        Harness alone;
        FakeTranscoder& only = alone.transcoder("only");
        only.manner.fails_with = row.kind;
        only.manner.turns_away = row.turned_away;
        const Ending& ending = alone.ending(alone.accept("s", 1));
        CHECK(ending.code() == *row.alone);
        if (row.kind == ErrorKind::bad_input)
            CHECK(ending.detail() == "told to fail");
        CHECK(only.dispatched.size() <= 40);
        if (*row.alone == ApiCode::transcode_failed)
            CHECK(only.dispatched.size() == 3);  // attempts that started work

        Pair pair;
        pair.a.manner.fails_with = row.kind;
        pair.a.manner.turns_away = row.turned_away;
        const Ending& second = pair.world.ending(pair.world.accept("s", 1));
        CHECK(second.ok() == row.elsewhere);
        if (row.elsewhere) {
            CHECK(by(second) == "b");
            CHECK(pair.a.dispatched.size() == 1);
        } else {
            CHECK(pair.b.dispatched.empty());
        }
    }
}

TEST_CASE("with one transcoder a failed attempt is tried there again", "[orchestrator][attempts]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    t.manner.fails_with = ErrorKind::internal;
    const TaskId task = world.accept("s", 1);
    REQUIRE(world.run_until([&] { return world.noted(What::attempt_failed) == 1; }));
    t.manner.fails_with.reset();
    CHECK(by(world.ending(task)) == "one");
    CHECK(std::get<Deliver>(world.endings.at(task).how).attempt == AttemptNo{2});
}

TEST_CASE("attempts that never started do not count", "[orchestrator][attempts]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    t.manner.fails_with = ErrorKind::overloaded;
    t.manner.turns_away = true;
    const TaskId task = world.accept("s", 1);
    world.run_for(1s);
    CHECK(t.dispatched.size() > 3);
    CHECK(t.dispatched.size() < 12);  // with growing pauses
    t.manner.fails_with.reset();
    CHECK(world.ending(task).ok());
    CHECK(world.noted(What::attempt_refused) + 1 == t.dispatched.size());
}

TEST_CASE("what nobody finishes in time is 504", "[orchestrator][attempts]") {
    CoreConfig c = config();
    c.progress_timeout = 10s;
    Harness world(c);
    FakeTranscoder& t = world.transcoder("one");
    t.manner.works_for = 20s;
    const TimePoint start = world.now();
    const TaskId task = world.accept("s", 1);
    CHECK(world.ending(task).code() == ApiCode::deadline_exceeded);
    CHECK(world.now() - start <= 6s);  // 3 x the measured 2 s
    world.run_for(5ms);
    REQUIRE(t.cancelled.size() >= 1);
    CHECK(t.cancelled.back().reason == CancelReason::deadline);
}

TEST_CASE("the deadline follows the declared, then the measured duration",
          "[orchestrator][attempts]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    UploadRequest r = world.request("s", 1);
    r.content_duration = 5s;
    const UploadDecision in = world.begin(r);
    const TimePoint start = world.now();
    t.manner.measured = 3s;
    t.manner.hangs = true;
    (void)world.finish(std::get<UploadAdmitted>(in).upload, "x");
    REQUIRE(world.all<Expect>().size() == 1);
    CHECK(world.all<Expect>()[0].deadline == start + 15s);
    world.run_for(100ms);
    REQUIRE(t.dispatched.size() == 1);
    CHECK(t.dispatched[0].duration_ms == 5000);
    CHECK(t.dispatched[0].time_left_ms > 14'000);
    REQUIRE(world.all<Expect>().size() == 2);
    CHECK(world.all<Expect>()[1].deadline == start + 9s);
    // The next one is assumed to last as long as the last.
    world.run_for(30s);
    world.log.clear();
    const TimePoint next = world.now();
    world.accept("s", 2);
    CHECK(world.all<Expect>()[0].deadline == next + 9s);
    Harness fresh;
    fresh.transcoder("one");
    const TimePoint then = fresh.now();
    fresh.accept("s", 1);
    CHECK(fresh.all<Expect>()[0].deadline == then + 12s);  // 4 s assumed
}

TEST_CASE(
    "at half the deadline a slow attempt gets a second beside it; the first valid result wins",
    "[orchestrator][attempts]") {
    CoreConfig c = config();
    c.progress_timeout = 20s;
    Pair p(c);
    // No forecast, and 4 s assumed: the deadline is 12 s.
    p.a.manner.claims_duration = p.b.manner.claims_duration = false;
    p.a.manner.works_for = 11s;
    const TimePoint start = p.world.now();
    const TaskId task = p.world.accept("s", 1);
    REQUIRE(p.world.run_until([&] { return !p.b.dispatched.empty(); }, 12s));
    CHECK(p.world.now() - start >= 6s);
    CHECK(p.world.now() - start <= 6010ms);
    CHECK(p.a.cancelled.empty());  // the first goes on
    CHECK(p.world.status().transcoders.at(0).load + p.world.status().transcoders.at(1).load == 2);
    CHECK(by(p.world.ending(task)) == "b");
    CHECK(p.world.noted(What::hedge_won) == 1);
    p.world.run_for(5ms);
    REQUIRE(p.a.cancelled.size() == 1);
    CHECK(p.a.cancelled[0].reason == CancelReason::superseded);
    CHECK(p.world.place_of("s") == "b");
    CHECK(p.a.sessions.empty());
    CHECK(p.world.commits.size() == 1);
}

TEST_CASE("an unknown forecast at half the deadline starts a second attempt, the first goes on",
          "[orchestrator][attempts]") {
    Pair p;
    p.a.manner.claims_duration = false;  // no forecast possible
    p.a.manner.works_for = 5s;           // of 12 s
    p.b.manner.works_for = 5s;
    const TaskId task = p.world.accept("s", 1);
    p.world.run_for(5s);
    CHECK(p.b.dispatched.empty());
    CHECK(by(p.world.ending(task)) == "a");

    const TaskId slow = p.world.accept("s", 2);
    p.a.manner.works_for = 5800ms;
    p.world.run_for(4s);  // deadline is 6 s now: last duration 2 s
    REQUIRE(p.b.dispatched.size() == 1);
    CHECK(p.world.noted(What::attempt_stalled) == 0);
    CHECK(p.world.ending(slow).ok());
    CHECK(p.world.noted(What::hedge_lost) + p.world.noted(What::hedge_won) == 1);
    p.world.run_for(1s);
    CHECK(p.world.status().capacity.sessions_active == 1);
    CHECK(p.a.sessions.size() + p.b.sessions.size() == 1);
}

TEST_CASE("a forecast past the deadline moves the segment while another would be in time",
          "[orchestrator][attempts]") {
    Pair p;
    p.a.manner.works_for = 20s;  // ten times slower than it should be: late from the start
    p.a.manner.measured = 10s;   // deadline 30 s; pace of 1/20 s: not late. Twice as long: late
    p.a.manner.works_for = 5s * 8;
    // Steps of 10 s would stall; speak in between.
    const TaskId task = p.world.accept("s", 1);
    p.world.run_for(50ms);
    REQUIRE(p.a.dispatched.size() == 1);
    for (int i = 1; i <= 4; ++i) {
        p.world.run_for(700ms);
        p.a.say(TaskProgress{task, AttemptNo{1}, TaskStage::running, 10'000'000 * i / 100,
                             10'000'000, i});
    }
    CHECK(p.world.noted(What::attempt_late) == 1);
    p.b.manner.measured = 10s;
    CHECK(by(p.world.ending(task)) == "b");
}

TEST_CASE("hedges are bounded by their budget", "[orchestrator][attempts]") {
    CoreConfig c = config();
    c.progress_timeout = 60s;
    Harness world(c);
    FakeTranscoder& a = world.transcoder("a", 20);
    world.transcoder("b", 20);
    a.manner.claims_duration = false;
    a.manner.hangs = true;
    std::size_t tasks = 0;
    for (int i = 0; i < 20; ++i) {
        world.accept("s" + std::to_string(i), 1);
        ++tasks;
    }
    world.run_for(20s);
    std::size_t second = 0;
    for (const Effect& e : world.log)
        if (const auto* send = std::get_if<Send>(&e))
            if (const auto* d = std::get_if<Dispatch>(&send->message))
                second += d->attempt.value == 2 ? 1 : 0;
    CHECK(second >= 2);
    CHECK(second <= static_cast<std::size_t>(kHedgeBurst) + tasks / 20 + 1);
    CHECK(world.endings.size() == tasks);
}

TEST_CASE("retries are bounded by their budget when everything fails", "[orchestrator][attempts]") {
    Harness world;
    world.transcoder("a", 1).manner.fails_with = ErrorKind::internal;
    world.transcoder("b", 1).manner.fails_with = ErrorKind::internal;
    for (std::uint64_t seq = 1; seq <= 200; ++seq)
        CHECK(world.ending(world.accept("s", seq)).code() == ApiCode::transcode_failed);
    std::size_t dispatches = 0;
    for (const Effect& e : world.log)
        if (const auto* send = std::get_if<Send>(&e))
            dispatches += std::holds_alternative<Dispatch>(send->message) ? 1 : 0;
    CHECK(dispatches <= 200 + 4 + 30);  // a burst of one slot's tasks, then one in ten
    CHECK(dispatches >= 215);
}

TEST_CASE("a segment that crashes engines twice is poison", "[orchestrator][attempts]") {
    Pair p;
    p.a.manner.fails_with = p.b.manner.fails_with = ErrorKind::internal;
    p.a.manner.crashes = p.b.manner.crashes = true;
    CHECK(p.world.ending(p.world.accept("s", 1, "bomb")).code() == ApiCode::bad_segment);
    CHECK(p.a.dispatched.size() + p.b.dispatched.size() == 2);
    p.a.manner = p.b.manner = Manner{};
    const UploadOutcome again = p.world.push("s", 2, "bomb");
    CHECK(std::get<Refusal>(again).code == ApiCode::bad_segment);
    CHECK(p.world.ending(p.world.accept("s", 2, "harmless")).ok());
    p.world.run_for(11min);
    CHECK(p.world.ending(p.world.accept("s", 1, "bomb")).ok());
}

TEST_CASE("a result that does not add up is refused, and three of them quarantine",
          "[orchestrator][attempts]") {
    for (const bool corrupt : {false, true}) {
        Pair p;
        (corrupt ? p.a.manner.corrupts : p.a.manner.lies) = true;
        for (int i = 0; i < 3; ++i)
            CHECK(by(p.world.ending(p.world.accept("s" + std::to_string(i), 1))) == "b");
        CHECK(p.world.noted(What::bad_result) >= 1);
        CHECK(p.world.commits.size() == 3);
    }
    Harness world;
    FakeTranscoder& only = world.transcoder("only");
    only.manner.lies = true;
    const Ending& ending = world.ending(world.accept("s", 1));
    CHECK_FALSE(ending.ok());
    CHECK(world.noted(What::bad_result) == 3);
    CHECK(world.state_of("only") == "quarantined");
    only.manner.lies = false;
    world.run_for(11min);
    CHECK(world.state_of("only") == "ready");
}

TEST_CASE("a device that fails three times in a minute is quarantined",
          "[orchestrator][attempts]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("gpu");
    t.manner.fails_with = ErrorKind::device;
    CHECK_FALSE(world.ending(world.accept("s", 1)).ok());
    CHECK(world.state_of("gpu") == "quarantined");
    world.run_for(61s);
    CHECK(world.state_of("gpu") == "ready");
}

TEST_CASE("a store that refuses the commit fails the segment, not before",
          "[orchestrator][attempts]") {
    Harness world;
    world.transcoder("one");
    world.store_fails = error(ErrorKind::internal, "disk full");
    const Ending& ending = world.ending(world.accept("s", 1));
    CHECK(ending.code() == ApiCode::storage_unavailable);
    world.store_fails.reset();
    // While the store is silent nothing is answered, however long it takes.
    world.store_answers = false;
    const TaskId task = world.accept("s", 2);
    world.run_for(40s);
    CHECK_FALSE(world.endings.contains(task));
    world.call(
        [&](OrchestratorCore& c, TimePoint now) { c.committed(task, AttemptNo{9}, {}, now); });
    CHECK_FALSE(world.endings.contains(task));
    world.call(
        [&](OrchestratorCore& c, TimePoint now) { c.committed(task, AttemptNo{1}, {}, now); });
    CHECK(world.endings.at(task).ok());
}

TEST_CASE("results of superseded attempts are recognised and dropped", "[orchestrator][attempts]") {
    Pair p;
    p.a.manner.hangs = true;
    const TaskId task = p.world.accept("s", 1);
    CHECK(by(p.world.ending(task)) == "b");
    p.a.manner.hangs = false;
    p.world.log.clear();
    TaskFinished late{task, AttemptNo{1}, report(small_ladder()), {}};
    p.a.say(late);
    p.world.call([&](OrchestratorCore& c, TimePoint now) {
        c.rendition_received({task, AttemptNo{1}, Direction::to_orchestrator, 0}, p.a.key, 100, {},
                             now);
    });
    p.a.say(TaskProgress{task, AttemptNo{2}, TaskStage::running, 1, 2, 1});  // b's attempt, not a's
    p.a.say(TaskFailed{TaskId{999}, AttemptNo{1}, ErrorKind::internal, "forged", true, true});
    CHECK(p.world.noted(What::stale_attempt) == 4);
    CHECK(p.world.all<Commit>().empty());
    CHECK(p.world.all<Deliver>().empty());
    p.world.run_for(5ms);
    CHECK(p.a.cancelled.size() >= 2);  // it is told to drop what it holds
}

TEST_CASE("a transcoder cannot speak for an attempt that runs elsewhere",
          "[orchestrator][attempts]") {
    Pair p;
    p.a.manner.works_for = 1s;
    const TaskId task = p.world.accept("s", 1);
    p.world.run_for(100ms);
    p.b.say(TaskFailed{task, AttemptNo{1}, ErrorKind::bad_input, "forged", true, false});
    p.b.say(TaskFinished{task, AttemptNo{1}, report(small_ladder()), {}});
    CHECK(p.world.noted(What::stale_attempt) == 2);
    CHECK(by(p.world.ending(task)) == "a");
}

TEST_CASE("saying the same again is no progress", "[orchestrator][attempts]") {
    Pair p;
    p.a.manner.hangs = true;
    const TaskId task = p.world.accept("s", 1);
    for (int i = 0; i < 6; ++i) {
        p.world.run_for(300ms);
        p.a.say(TaskProgress{task, AttemptNo{1}, TaskStage::running, 0, 2'000'000, 0});
    }
    CHECK(p.world.noted(What::attempt_stalled) == 1);
    CHECK(by(p.world.ending(task)) == "b");
}

TEST_CASE("a report that comes twice counts once", "[orchestrator][attempts]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    t.manner.keeps_renditions = true;
    const TaskId task = world.accept("s", 1);
    REQUIRE(world.run_until(
        [&] { return world.status().tasks_active == 1 && t.dispatched.size() == 1; }));
    world.run_for(300ms);
    TaskFinished again{task, AttemptNo{1}, report(small_ladder()), {}};
    t.say(again);
    CHECK(world.noted(What::stale_duplicate) == 1);
}

TEST_CASE("a refused slot is asked for elsewhere", "[orchestrator][attempts]") {
    Pair p;
    p.a.manner.grants = false;
    CHECK(by(p.world.ending(p.world.accept("s", 1))) == "b");
    p.a.manner.grants = true;
    p.a.manner.answers_reserve = false;  // and an unanswered one is given up
    p.b.manner.answers_reserve = true;
    const TimePoint start = p.world.now();
    const TaskId task = p.world.accept("t", 1);
    CHECK(by(p.world.ending(task)) == "b");
    CHECK(p.world.now() - start < 2500ms);
}

TEST_CASE("a broken transfer costs the attempt, not the segment", "[orchestrator][attempts]") {
    Pair p;
    p.a.manner.never_starts = true;
    const TaskId task = p.world.accept("s", 1);
    p.world.run_for(20ms);
    p.world.call([&](OrchestratorCore& c, TimePoint now) {
        c.transfer_failed({task, AttemptNo{1}, Direction::to_transcoder, 0}, p.a.key,
                          error(ErrorKind::disconnected, "lane reset"), now);
    });
    CHECK(by(p.world.ending(task)) == "b");
    CHECK(p.world.noted(What::attempt_failed) == 1);
}

TEST_CASE("the seam of a segment is handed to the next one", "[orchestrator][attempts]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    t.manner.never_starts = true;
    const TaskId task = world.accept("s", 1);
    world.run_for(10ms);
    TaskFinished done{
        task, AttemptNo{1}, report(small_ladder()), {{11, 22}, {23'000, 18'000}, {}, {}}};
    done.seam.sound.packets = {{1920, {1, 2, 3}}};
    world.call([&](OrchestratorCore& c, TimePoint now) {
        for (const RenditionReport& r : done.report.renditions)
            c.rendition_received({task, AttemptNo{1}, Direction::to_orchestrator, r.index}, t.key,
                                 r.bytes, r.sha256, now);
    });
    t.say(done);
    REQUIRE(world.ending(task).ok());
    world.accept("s", 2);
    world.accept("s", 9);
    world.run_for(5ms);
    REQUIRE(t.dispatched.size() == 3);
    CHECK(t.dispatched[1].seam == done.seam);
    CHECK(t.dispatched[2].seam.vbv_fill_bits.empty());  // something else comes in between
    CHECK(t.dispatched[2].seam.sound.packets.empty());
    CHECK(t.dispatched[2].seam.rate_factors_milli == done.seam.rate_factors_milli);
}
