// What is kept of a segment's way, and what those who watch are told.

#include "orchestrator/journal/journal.h"

#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace millrace::orchestrator {
namespace {

using namespace std::chrono_literals;

const TranscoderKey kEast{"east-key"};
const TranscoderKey kWest{"west-key"};
const StreamName kNews{"news"};
constexpr WallTime kNoon{1'000'000};

SegmentKey segment(std::uint64_t seq, std::uint8_t hash = 1) {
    SegmentKey key{{"s1"}, 0, seq, {}};
    key.sha256.fill(hash);
    return key;
}

// A journal with two named transcoders, and a clock that the test moves.
struct Desk {
    Journal journal;
    std::vector<Event> events;
    TimePoint now{};

    Desk() {
        journal.listen([this](const Event& event) { events.push_back(event); });
        note(TranscoderChanged{kEast, "east", "ready", ""});
        note(TranscoderChanged{kWest, "west", "ready", ""});
        events.clear();
    }
    void note(Effect effect) { journal.note(effect, now, kNoon); }
    void dispatch(std::uint64_t task, std::uint64_t attempt, const TranscoderKey& to,
                  const SegmentKey& key, std::uint64_t bytes = 1000) {
        Dispatch d;
        d.task = {task};
        d.attempt = {attempt};
        d.segment = key;
        d.bytes = bytes;
        note(Send{to, std::move(d)});
    }
    [[nodiscard]] std::vector<std::string> steps(std::uint64_t seq) const {
        std::vector<std::string> said;
        for (const TraceStep& step : journal.find({"s1"}, seq).at(0)->steps)
            said.push_back(std::to_string(to_ms(step.after)) + " " + std::string(step.what) +
                           (step.transcoder.empty() ? "" : " " + step.transcoder) +
                           (step.detail.empty() ? "" : ": " + step.detail));
        return said;
    }
};

TEST_CASE("a trace tells a segment's way with its retry, in order and in time", "[journal]") {
    Desk desk;
    desk.note(Expect{{7}, segment(4), kNews, desk.now + 6s});
    desk.dispatch(7, 1, kEast, segment(4));
    desk.now += 1500ms;
    desk.note(DropAttempt{kEast, {7}, {1}, Noted::What::attempt_stalled});
    desk.dispatch(7, 2, kWest, segment(4));
    desk.now += 300ms;
    Commit commit;
    commit.task = {7};
    commit.attempt = {2};
    commit.segment = segment(4);
    commit.transcoder_name = "west";
    commit.report.times.total_us = 250'000;
    desk.note(commit);
    Deliver deliver;
    deliver.task = {7};
    deliver.attempt = {2};
    deliver.segment = segment(4);
    deliver.stream = kNews;
    deliver.transcoder_name = "west";
    deliver.total = 1800ms;
    desk.note(deliver);

    CHECK(desk.steps(4) == std::vector<std::string>{"0 accepted: 6000 ms left", "0 dispatched east",
                                                    "1500 attempt ended east: stalled: no progress",
                                                    "1500 dispatched west",
                                                    "1800 result west: being committed",
                                                    "1800 answered west"});
    const Trace& trace = *desk.journal.find({"s1"}, 4).at(0);
    CHECK(trace.outcome == "answered");
    CHECK(trace.times->total_us == 250'000);
    CHECK(desk.events ==
          std::vector<Event>{SegmentEvent{segment(4), kNews, "answered", "west", "", 1800ms}});
}

TEST_CASE("a segment that failed says why, in its trace and to those who watch", "[journal]") {
    Desk desk;
    desk.note(Expect{{7}, segment(4), kNews, desk.now + 6s});
    desk.now += 20ms;
    desk.note(Fail{{7}, segment(4), kNews, {ApiCode::bad_segment, "no video in it", {}}});
    CHECK(desk.steps(4).back() == "20 failed: BadSegment: no video in it");
    CHECK(desk.events == std::vector<Event>{SegmentEvent{segment(4), kNews, "failed", "",
                                                         "no video in it", 20ms}});
}

TEST_CASE("a segment that is sent while it arrives has one trace", "[journal]") {
    Desk desk;
    desk.dispatch(7, 1, kEast, segment(4, 0), 0);
    desk.now += 900ms;
    desk.note(Expect{{7}, segment(4), kNews, desk.now + 6s});
    CHECK(desk.steps(4) == std::vector<std::string>{"0 dispatched east: while it still arrives",
                                                    "900 accepted: 6000 ms left"});
    CHECK(desk.journal.find({"s1"}, 4).at(0)->segment.sha256 == segment(4).sha256);
}

TEST_CASE("an upload that never became a segment leaves no trace", "[journal]") {
    Desk desk;
    desk.dispatch(7, 1, kEast, segment(4, 0), 0);
    desk.note(DropAttempt{kEast, {7}, {1}, Noted::What::attempt_superseded});
    CHECK(desk.journal.find({"s1"}, 4).empty());
}

TEST_CASE("a number that a restarted source used again has two traces, the latest first",
          "[journal]") {
    Desk desk;
    desk.note(Expect{{7}, segment(4, 1), kNews, desk.now + 6s});
    desk.note(Expect{{8}, segment(4, 2), kNews, desk.now + 6s});
    const auto found = desk.journal.find({"s1"}, 4);
    REQUIRE(found.size() == 2);
    CHECK(found[0]->segment.sha256 == segment(4, 2).sha256);
    CHECK(desk.journal.find({"s2"}, 4).empty());
}

TEST_CASE("traces and their steps are bounded: the oldest segment goes first", "[journal]") {
    Desk desk;
    for (std::uint64_t task = 1; task <= kTracesMax + 1; ++task)
        desk.note(Expect{{task}, segment(task), kNews, desk.now + 6s});
    CHECK(desk.journal.find({"s1"}, 1).empty());
    CHECK(desk.journal.find({"s1"}, 2).size() == 1);
    for (std::size_t i = 0; i < 2 * kStepsMax; ++i)
        desk.note(Expect{{2}, segment(2), kNews, desk.now + 6s});
    CHECK(desk.steps(2).size() == kStepsMax);
}

TEST_CASE("a session is told once when it opens and once when it ends", "[journal]") {
    Desk desk;
    PersistSession row;
    row.session = {"s1"};
    row.stream = kNews;
    desk.note(row);
    row.last_seq = 9;
    desk.note(row);
    desk.note(SessionEnded{{"s1"}, kNews, EndReason::requested});
    row.ended = true;
    desk.note(row);
    CHECK(desk.events == std::vector<Event>{SessionEvent{{"s1"}, kNews, "opened", ""},
                                            SessionEvent{{"s1"}, kNews, "ended", "requested"}});
}

}  // namespace
}  // namespace millrace::orchestrator
