// What headers decide, what bytes decide: admission at the door, identity, runs, replay, budgets.
#include "tests/support/catch.h"
#include "tests/support/core_harness.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::testing;

namespace {

ApiCode refused(const UploadDecision& decision) {
    const auto* no = std::get_if<Refusal>(&decision);
    REQUIRE(no != nullptr);
    return no->code;
}

ApiCode refused(const UploadOutcome& outcome) {
    const auto* no = std::get_if<Refusal>(&outcome);
    REQUIRE(no != nullptr);
    return no->code;
}

UploadId admitted(const UploadDecision& decision) {
    const auto* yes = std::get_if<UploadAdmitted>(&decision);
    REQUIRE(yes != nullptr);
    return yes->upload;
}

bool is_new(const UploadOutcome& outcome) {
    return std::holds_alternative<TaskAccepted>(outcome);
}

void abort(Harness& world, UploadId upload) {
    world.call([&](OrchestratorCore& core, TimePoint now) { core.abort_upload(upload, now); });
}

// Pushes and waits for the answer.
void answer(Harness& world, const std::string& stream, std::uint64_t seq,
            const std::string& content = {}) {
    REQUIRE(world.ending(world.accept(stream, seq, content)).ok());
}

}  // namespace

TEST_CASE("a segment is transcoded, committed and delivered", "[orchestrator][upload]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    const TaskId task = world.accept("news", 5);
    const Ending& ending = world.ending(task);
    REQUIRE(ending.ok());
    const auto& deliver = std::get<Deliver>(ending.how);
    CHECK(deliver.segment.seq == 5);
    CHECK(deliver.segment.run == 0);
    CHECK(deliver.stream.value == "news");
    CHECK(deliver.transcoder_name == "one");
    CHECK_FALSE(deliver.discontinuity);
    CHECK(deliver.report.renditions.size() == 2);
    CHECK(world.commits.size() == 1);
    REQUIRE(t.dispatched.size() == 1);
    CHECK(t.dispatched[0].allow_audio_only == false);
    CHECK(t.dispatched[0].bytes == 1000);
    CHECK(world.all<Expect>().size() >= 1);
    CHECK(world.status().payload_bytes == 0);
    CHECK(world.core().idle());
    // Order of a first segment: Reserve, then Dispatch with its transfer.
    std::vector<std::string> order;
    for (const Effect& e : world.log) {
        if (const auto* send = std::get_if<Send>(&e)) {
            if (std::holds_alternative<Reserve>(send->message))
                order.push_back("reserve");
            if (std::holds_alternative<Dispatch>(send->message))
                order.push_back("dispatch");
        } else if (std::holds_alternative<StartTransfer>(e)) {
            order.push_back("transfer");
        } else if (std::holds_alternative<Commit>(e)) {
            order.push_back("commit");
        } else if (std::holds_alternative<Deliver>(e)) {
            order.push_back("deliver");
        }
    }
    CHECK(order ==
          std::vector<std::string>{"reserve", "dispatch", "transfer", "commit", "deliver"});
}

TEST_CASE("headers are refused for what the process lacks", "[orchestrator][upload]") {
    Harness world;
    CHECK(refused(world.begin("news", 1)) == ApiCode::no_transcoders);
    world.transcoder("one", 1);
    Ladder hevc = small_ladder();
    hevc[0].codec = VideoCodec::hevc;
    UploadRequest r = world.request("hevc", 1);
    r.ladder = hevc;
    const UploadDecision no = world.begin(r);
    CHECK(refused(no) == ApiCode::no_compatible_transcoders);
    CHECK(std::get<Refusal>(no).detail.find("hevc") != std::string::npos);

    world.call([](OrchestratorCore& c, TimePoint now) { c.set_stake(5u, false, now); });
    CHECK(refused(world.begin("news", 1)) == ApiCode::stake_inactive);
    world.call([](OrchestratorCore& c, TimePoint now) { c.store_available(false, now); });
    CHECK(refused(world.begin("news", 1)) == ApiCode::storage_unavailable);
    world.call([](OrchestratorCore& c, TimePoint now) { c.begin_shutdown(now); });
    CHECK(refused(world.begin("news", 1)) == ApiCode::shutting_down);
    CHECK(world.noted(Noted::What::session_refused) == 5);
    CHECK(world.status().sessions.empty());
}

TEST_CASE("an unknown session is 404, another's stream 403", "[orchestrator][upload]") {
    Harness world;
    world.transcoder("one");
    UploadRequest r = world.request("news", 1);
    r.session = session_id("nobody");
    CHECK(refused(world.begin(r)) == ApiCode::not_found);
    answer(world, "news", 1);
    r.session = world.status().sessions.at(0).id;
    r.stream = {"sport"};
    CHECK(refused(world.begin(r)) == ApiCode::forbidden);
    UploadRequest foreign = world.request("news", 2);
    foreign.account = {"somebody else"};
    CHECK(refused(world.begin(foreign)) == ApiCode::forbidden);
    // 404 comes before what the process lacks.
    world.call([](OrchestratorCore& c, TimePoint now) { c.begin_shutdown(now); });
    r.session = session_id("nobody");
    CHECK(refused(world.begin(r)) == ApiCode::not_found);
}

TEST_CASE("a burst of new sessions cannot pass together", "[orchestrator][upload]") {
    Harness world;
    world.transcoder("one", 2);
    const UploadId first = admitted(world.begin("a", 1));
    admitted(world.begin("b", 1));
    const UploadDecision third = world.begin("c", 1);
    CHECK(refused(third) == ApiCode::orchestrator_capped);
    CHECK(std::get<Refusal>(third).detail.find("transcoders") != std::string::npos);
    admitted(world.begin("a", 2));  // the same session's second upload has its claim already
    abort(world, first);
    CHECK(refused(world.begin("c", 1)) == ApiCode::orchestrator_capped);
}

TEST_CASE("an aborted upload leaves nothing", "[orchestrator][upload]") {
    Harness world;
    world.transcoder("one", 1);
    world.log.clear();
    const UploadId upload = admitted(world.begin("a", 1));
    CHECK(world.status().payload_bytes == 1000);
    abort(world, upload);
    CHECK(world.status().payload_bytes == 0);
    CHECK(world.status().sessions.empty());
    CHECK(world.log.empty());
    CHECK(is_new(world.push("b", 1)));  // the claim is free, too
    abort(world, upload);               // a second time does nothing
}

TEST_CASE("each limit binds and is named", "[orchestrator][upload]") {
    Harness world;
    world.transcoder("one", 4);
    world.call([](OrchestratorCore& c, TimePoint now) { c.set_operator_limit(1u, now); });
    REQUIRE(is_new(world.push("a", 1)));
    UploadDecision no = world.begin("b", 1);
    CHECK(refused(no) == ApiCode::orchestrator_capped);
    CHECK(std::get<Refusal>(no).detail.find("operator") != std::string::npos);
    CHECK(world.status().capacity.binding == "operator");
    world.call([](OrchestratorCore& c, TimePoint now) { c.set_operator_limit({}, now); });
    world.call([](OrchestratorCore& c, TimePoint now) { c.set_stake(1u, true, now); });
    no = world.begin("b", 1);
    CHECK(std::get<Refusal>(no).detail.find("stake") != std::string::npos);
    CHECK(is_new(world.push("a", 2)));  // a lowered limit never ends a running session
    world.call([](OrchestratorCore& c, TimePoint now) { c.set_operator_limit(0u, now); });
    CHECK(refused(world.begin("b", 1)) == ApiCode::orchestrator_capped);
    CHECK(is_new(world.push("a", 3)));
}

TEST_CASE("four segments of a session are in flight, uploads included", "[orchestrator][upload]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    t.manner.works_for = 1s;
    world.accept("a", 1);
    world.accept("a", 2);
    admitted(world.begin("a", 3));
    const UploadId fourth = admitted(world.begin("a", 4));
    CHECK(refused(world.begin("a", 5)) == ApiCode::orchestrator_busy);
    // A number in flight is let through: only its bytes tell whether it is a repeat.
    const UploadId again = admitted(world.begin("a", 2));
    CHECK(std::holds_alternative<TaskJoined>(world.finish(again, "a/2")));
    const UploadId twin = admitted(world.begin("a", 4));
    CHECK(is_new(world.finish(fourth, "a/4")));
    CHECK(std::holds_alternative<TaskJoined>(world.finish(twin, "a/4")));
}

TEST_CASE("a let-through number with new content does not pass the limit",
          "[orchestrator][upload]") {
    CoreConfig c = config();
    c.conflict_window = 1ms;
    Harness world(c);
    FakeTranscoder& t = world.transcoder("one");
    answer(world, "a", 1);
    world.run_for(1s);
    t.manner.hangs = true;
    for (std::uint64_t seq = 2; seq <= 5; ++seq)
        world.accept("a", seq);
    CHECK(refused(world.push("a", 1, "restarted")) == ApiCode::orchestrator_busy);
}

TEST_CASE("two equal uploads at once get one task and one answer", "[orchestrator][identity]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    const UploadId first = admitted(world.begin("a", 7));
    const UploadId second = admitted(world.begin("a", 7));
    const UploadOutcome one = world.finish(first, "same");
    const UploadOutcome two = world.finish(second, "same");
    REQUIRE(is_new(one));
    REQUIRE(std::holds_alternative<TaskJoined>(two));
    CHECK(std::get<TaskJoined>(two).task == std::get<TaskAccepted>(one).task);
    CHECK(world.ending(std::get<TaskAccepted>(one).task).ok());
    CHECK(t.dispatched.size() == 1);
}

TEST_CASE("an answered segment is replayed inside the window, transcoded again outside",
          "[orchestrator][identity]") {
    Harness world;
    world.transcoder("one");
    answer(world, "a", 1);
    const UploadOutcome replay = world.push("a", 1);
    REQUIRE(std::holds_alternative<Replayed>(replay));
    CHECK(world.answers.contains(std::get<Replayed>(replay).answer));
    for (std::uint64_t seq = 2; seq <= 13; ++seq)
        answer(world, "a", seq);
    world.run_for(31s);
    const TaskId again = world.accept("a", 1);  // 12 behind: not a restart
    REQUIRE(world.ending(again).ok());
    CHECK(std::get<Deliver>(world.endings.at(again).how).segment.run == 0);
}

TEST_CASE("other bytes under a number: conflict first, then a restart of the source",
          "[orchestrator][identity]") {
    struct Row {
        const char* what;
        bool in_flight;
        Duration after;
        std::uint64_t last_seq;
        std::uint64_t seq;
        std::optional<ApiCode> refusal;
        std::uint32_t run;
    };
    const std::vector<Row> rows{
        {"in flight", true, 0ms, 5, 5, ApiCode::conflict, 0},
        {"answered a moment ago", false, 9s, 5, 5, ApiCode::conflict, 0},
        {"answered ten seconds ago", false, 11s, 5, 5, std::nullopt, 1},
        {"falls back by twelve", false, 0ms, 20, 8, std::nullopt, 0},
        {"falls back by more than twelve", false, 0ms, 20, 7, std::nullopt, 1},
        {"falls back while in flight", true, 0ms, 20, 7, std::nullopt, 1},
        {"the next one", true, 0ms, 5, 6, std::nullopt, 0},
        {"an earlier one that never came", false, 0ms, 5, 3, std::nullopt, 0},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        Harness world;
        FakeTranscoder& t = world.transcoder("one");
        if (row.in_flight)
            t.manner.works_for = 2s;
        const TaskId first = world.accept("a", row.last_seq, "old");
        if (!row.in_flight)
            REQUIRE(world.ending(first).ok());
        world.run_for(row.after);
        const UploadOutcome outcome = world.push("a", row.seq, "new");
        if (row.refusal) {
            CHECK(refused(outcome) == *row.refusal);
            continue;
        }
        REQUIRE(is_new(outcome));
        const Ending& ending = world.ending(std::get<TaskAccepted>(outcome).task);
        REQUIRE(ending.ok());
        const auto& deliver = std::get<Deliver>(ending.how);
        CHECK(deliver.segment.run == row.run);
        CHECK(deliver.discontinuity == (row.run > 0));
        CHECK(world.all<PersistSession>().back().run == row.run);
    }
}

TEST_CASE("a failed segment may come again with any bytes", "[orchestrator][identity]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    t.manner.fails_with = ErrorKind::bad_input;
    CHECK(world.ending(world.accept("a", 1, "broken")).code() == ApiCode::bad_segment);
    t.manner.fails_with.reset();
    answer(world, "a", 1, "mended");
}

TEST_CASE("only a session's first segment must have video", "[orchestrator][identity]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    answer(world, "a", 1);
    answer(world, "a", 2);
    REQUIRE(t.dispatched.size() == 2);
    CHECK_FALSE(t.dispatched[0].allow_audio_only);
    CHECK(t.dispatched[1].allow_audio_only);
}

TEST_CASE("while nothing came out of a session, its next segment is its first",
          "[orchestrator][identity]") {
    Harness world;
    FakeTranscoder& t = world.transcoder("one");
    t.manner.fails_with = ErrorKind::bad_input;
    CHECK(world.ending(world.accept("a", 1)).code() == ApiCode::bad_segment);
    t.manner.fails_with.reset();
    const TaskId second = world.accept("a", 2);
    const TaskId third = world.accept("a", 3);  // while its predecessor is at work
    CHECK(world.ending(second).ok());
    CHECK(world.ending(third).ok());
    REQUIRE(t.dispatched.size() == 3);
    CHECK_FALSE(t.dispatched[0].allow_audio_only);
    CHECK_FALSE(t.dispatched[1].allow_audio_only);
    CHECK(t.dispatched[2].allow_audio_only);
}

TEST_CASE("kept answers are bounded in bytes and forgotten in order", "[orchestrator][identity]") {
    CoreConfig c = config();
    c.keep_bytes = 2'500;  // two answers of 1000 + 201 bytes
    Harness world(c);
    world.transcoder("one");
    for (std::uint64_t seq = 1; seq <= 3; ++seq)
        answer(world, "a", seq);
    CHECK(world.answers.size() == 2);
    CHECK(world.all<ForgetAnswer>().size() == 1);
    CHECK(std::holds_alternative<Replayed>(world.push("a", 3)));
    CHECK(is_new(world.push("a", 1)));
}

TEST_CASE("bytes in flight are bounded", "[orchestrator][upload]") {
    CoreConfig c = config();
    c.payload_budget = 5'000;
    Harness world(c);
    FakeTranscoder& t = world.transcoder("one");
    t.manner.works_for = 1s;
    const UploadId big = admitted(world.begin("a", 1, 4'000));
    CHECK(refused(world.begin("a", 2, 1'001)) == ApiCode::orchestrator_busy);
    CHECK(is_new(world.finish(big, "big", 4'000)));
    // A body whose length was not announced is judged when it is there.
    UploadRequest chunked = world.request("a", 2);
    chunked.content_length.reset();
    const UploadId unknown = admitted(world.begin(chunked));
    CHECK(refused(world.finish(unknown, "grown", 1'001)) == ApiCode::orchestrator_busy);
    world.run_for(3s);
    CHECK(world.status().payload_bytes == 0);
}

TEST_CASE("the number of open sessions is bounded", "[orchestrator][upload]") {
    CoreConfig c = config();
    c.sessions_known_max = 2;
    Harness world(c);
    world.transcoder("one", 8);
    world.accept("a", 1);
    world.accept("b", 1);
    CHECK(refused(world.begin("c", 1)) == ApiCode::orchestrator_busy);
    CHECK(is_new(world.push("a", 2)));
}

TEST_CASE("what was let in before a shutdown is carried through", "[orchestrator][upload]") {
    Harness world;
    world.transcoder("one");
    const UploadId arriving = admitted(world.begin("a", 1));
    world.call([](OrchestratorCore& c, TimePoint now) { c.begin_shutdown(now); });
    CHECK_FALSE(world.core().idle());
    const UploadOutcome outcome = world.finish(arriving, "a/1");
    REQUIRE(is_new(outcome));
    CHECK_FALSE(world.core().idle());
    CHECK(world.ending(std::get<TaskAccepted>(outcome).task).ok());
    CHECK(world.core().idle());
    CHECK(refused(world.begin("a", 2)) == ApiCode::shutting_down);
}
