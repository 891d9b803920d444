#include "transcoder/link/source_intake.h"

#include "tests/support/catch.h"
#include "tests/unit/transcoder_link/bytes.h"

namespace millrace::transcoder {
namespace {

const SourceIntake::Attempt kAttempt{TaskId{1}, AttemptNo{1}};

SourceIntake an_intake() {
    return SourceIntake(std::make_shared<BlockPool>(), 32 * 1024 * 1024);
}

}  // namespace

TEST_CASE("an expected source is complete with its last chunk and gets credit on the way",
          "[transcoder][intake]") {
    auto intake = an_intake();
    const CutSource source{.bytes = pattern(3 * 1024 * 1024)};
    CHECK_FALSE(intake.expect(kAttempt, source.bytes.size(), source.sha256()).payload);
    int credits = 0;
    for (std::size_t i = 0; i + 1 < source.chunks(); ++i) {
        const auto outcome = intake.on_chunk(source.chunk(i), source.body(i));
        CHECK_FALSE(outcome.broken);
        credits += outcome.credit ? 1 : 0;
    }
    CHECK(credits >= 2);
    const std::size_t last = source.chunks() - 1;
    const auto outcome = intake.on_chunk(source.chunk(last), source.body(last));
    REQUIRE(outcome.payload);
    CHECK(bytes_of(outcome.payload) == source.bytes);
    CHECK(intake.size() == 0);
}

TEST_CASE("a source may be taken as it arrives; what is left comes with its end",
          "[transcoder][intake]") {
    auto intake = an_intake();
    const CutSource source{.bytes = pattern(1024 * 1024)};
    const auto before = intake.on_chunk(source.chunk(0), source.body(0));
    CHECK_FALSE(before.arrived);  // nobody expects it yet
    CHECK(intake.take(kAttempt) == nullptr);
    CHECK(intake.expect(kAttempt, 0, {}).arrived);
    auto got = bytes_of(intake.take(kAttempt));
    CHECK(intake.take(kAttempt) == nullptr);
    CHECK(intake.on_chunk(source.chunk(1), source.body(1)).arrived);
    for (std::size_t i = 2; i < source.chunks(); ++i) {
        const auto outcome = intake.on_chunk(source.chunk(i), source.body(i));
        if (!outcome.payload)
            continue;
        const auto rest = bytes_of(outcome.payload);
        got.insert(got.end(), rest.begin(), rest.end());
    }
    CHECK(got == source.bytes);
}

TEST_CASE("a small source may be here before its dispatch", "[transcoder][intake]") {
    auto intake = an_intake();
    const CutSource source{.bytes = pattern(1000)};
    const auto early = intake.on_chunk(source.chunk(0), source.body(0));
    CHECK_FALSE(early.payload);
    CHECK_FALSE(early.unexpected);
    CHECK(intake.expect(kAttempt, 1000, source.sha256()).payload);
}

TEST_CASE("a large source gets no credit before its dispatch, and all of it after",
          "[transcoder][intake]") {
    auto intake = an_intake();
    const CutSource source{.bytes = pattern(2 * 1024 * 1024)};
    for (std::size_t i = 0; i < 4; ++i)
        CHECK_FALSE(intake.on_chunk(source.chunk(i), source.body(i)).credit);
    // One more would be beyond what anybody was allowed: the sender lies, the transfer goes.
    const auto granted = intake.expect(kAttempt, source.bytes.size(), source.sha256());
    REQUIRE(granted.credit);
    CHECK(granted.credit->limit > 1024 * 1024);
    PayloadPtr payload;
    for (std::size_t i = 4; i < source.chunks(); ++i)
        payload = intake.on_chunk(source.chunk(i), source.body(i)).payload;
    REQUIRE(payload);
    CHECK(bytes_of(payload) == source.bytes);
}

TEST_CASE("a source that is not the one dispatched is broken", "[transcoder][intake]") {
    auto intake = an_intake();
    const CutSource source{.bytes = pattern(1000)};
    SECTION("another hash") {
        (void)intake.expect(kAttempt, 1000, sha256_of(pattern(1000, 2)));
    }
    SECTION("another length") {
        (void)intake.expect(kAttempt, 999, source.sha256());
    }
    const auto outcome = intake.on_chunk(source.chunk(0), source.body(0));
    REQUIRE(outcome.broken);
    CHECK(outcome.broken->kind == ErrorKind::disconnected);
    CHECK(intake.size() == 0);
}

TEST_CASE("a source whose hash and length are not known yet is taken as it is",
          "[transcoder][intake]") {
    auto intake = an_intake();
    const CutSource source{.bytes = pattern(1000)};
    (void)intake.expect(kAttempt, 0, Sha256{});
    CHECK(intake.on_chunk(source.chunk(0), source.body(0)).payload);
}

TEST_CASE("a gap breaks an expected source", "[transcoder][intake]") {
    auto intake = an_intake();
    const CutSource source{.bytes = pattern(1024 * 1024)};
    (void)intake.expect(kAttempt, source.bytes.size(), source.sha256());
    (void)intake.on_chunk(source.chunk(0), source.body(0));
    CHECK(intake.on_chunk(source.chunk(2), source.body(2)).broken);
    CHECK(intake.on_chunk(source.chunk(3), source.body(3)).unexpected);
}

TEST_CASE("chunks of nothing we know are passed over", "[transcoder][intake]") {
    auto intake = an_intake();
    const CutSource source{.bytes = pattern(1024 * 1024)};
    CHECK(intake.on_chunk(source.chunk(1), source.body(1)).unexpected);
    Chunk rendition = source.chunk(0);
    rendition.transfer.direction = Direction::to_orchestrator;
    CHECK(intake.on_chunk(rendition, source.body(0)).unexpected);
    intake.drop(kAttempt);  // refused before its first chunk was here
    CHECK(intake.on_chunk(source.chunk(0), source.body(0)).unexpected);
    CHECK(intake.size() == 0);
}

TEST_CASE("what comes early is bounded: the oldest gives way", "[transcoder][intake]") {
    auto intake = an_intake();
    for (std::uint64_t task = 1; task <= SourceIntake::kEarlyMax + 10; ++task) {
        const CutSource source{.task = TaskId{task}, .bytes = pattern(100)};
        (void)intake.on_chunk(source.chunk(0), source.body(0));
    }
    CHECK(intake.size() == SourceIntake::kEarlyMax);
    const CutSource source{.bytes = pattern(100)};
    CHECK_FALSE(intake.expect(kAttempt, 100, source.sha256()).payload);  // it was evicted
    const SourceIntake::Attempt newest{TaskId{SourceIntake::kEarlyMax + 10}, AttemptNo{1}};
    CHECK(intake.expect(newest, 100, source.sha256()).payload);
}

TEST_CASE("a source larger than a segment may be is broken as soon as it says so",
          "[transcoder][intake]") {
    SourceIntake intake(std::make_shared<BlockPool>(), 1000);
    const CutSource source{.bytes = pattern(1001)};
    (void)intake.expect(kAttempt, 0, Sha256{});
    CHECK(intake.on_chunk(source.chunk(0), source.body(0)).broken);
}

TEST_CASE("an abort of an expected source is an error, of another nothing",
          "[transcoder][intake]") {
    auto intake = an_intake();
    CHECK_FALSE(intake.on_abort(kAttempt, "gone"));
    (void)intake.expect({TaskId{2}, AttemptNo{1}}, 10, Sha256{});
    const auto problem = intake.on_abort({TaskId{2}, AttemptNo{1}}, "gone");
    REQUIRE(problem);
    CHECK(problem->kind == ErrorKind::disconnected);
}

}  // namespace millrace::transcoder
