#include "orchestrator/store/ledger.h"

#include "orchestrator/store/schema.h"
#include "tests/unit/store/ledger_fixture.h"

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

store::CommitRecord at(std::int64_t ms, std::uint64_t seq) {
    auto record = a_segment(seq);
    record.committed_at = {ms};
    return record;
}

std::int64_t segments_in(const std::string& dir, const store::LedgerRange& range) {
    const auto sums = must_read(dir)->sums(LedgerBy::account, range);
    REQUIRE(sums);
    return sums->total.segments;
}

void exec(const std::string& dir, const std::string& sql) {
    SQLite::Database(dir + "/millrace.db", SQLite::OPEN_READWRITE, 1000).exec(sql);
}

}  // namespace

TEST_CASE("random bookings add up as a naive model says", "[store][ledger]") {
    const DataFolder dir;
    Mailbox mailbox;
    NaiveLedger naive;
    {
        const auto opened = must_open(dir.path(), mailbox.executor());
        for (std::uint64_t n = 0; n < 2000; ++n) {
            opened.store->commit(a_booking(n), nullptr);
            naive.book(a_booking(n));
        }
    }
    const auto ledger = must_read(dir.path());
    naive.check(*ledger);
    check_whole(*ledger);
}

TEST_CASE("a line says whom it is about, and under which name they were known last",
          "[store][ledger]") {
    const DataFolder dir;
    Mailbox mailbox;
    const auto opened = must_open(dir.path(), mailbox.executor());
    opened.store->save_session(a_session("s1"));
    CHECK(commit(*opened.store, mailbox, a_segment(1)));
    auto renamed = a_segment(2);
    renamed.transcoder_name = "w1-2";
    CHECK(commit(*opened.store, mailbox, renamed));
    const auto ledger = must_read(dir.path());
    LedgerTotals two;
    two.segments = 2;
    two.duration_us = 4'000'000;
    two.decoded_frames = 120;
    two.decoded_pixels = 120LL * 1280 * 720;
    two.encoded_frames = 240;
    two.encoded_pixels = 240LL * 320 * 180;
    two.source_bytes = 2000;
    two.encoded_bytes = 2000;
    const auto line = [&](LedgerBy by) { return ledger->sums(by, {})->lines.at(0); };
    CHECK(line(LedgerBy::transcoder) == store::LedgerLine{"key", "w1-2", two});
    CHECK(line(LedgerBy::account) == store::LedgerLine{"acme", "", two});
    CHECK(line(LedgerBy::session) == store::LedgerLine{"s1", "news", two});
}

TEST_CASE("the store tells what it has booked, and where the chain ends", "[store][ledger]") {
    const DataFolder dir;
    Mailbox mailbox;
    {
        const auto opened = must_open(dir.path(), mailbox.executor());
        CHECK(opened.store->ledger().head == store::LedgerHead{});
        CHECK(commit(*opened.store, mailbox, a_segment(1)));
        CHECK(commit(*opened.store, mailbox, a_segment(1)));  // a repeat books nothing
        CHECK(opened.store->ledger().booked.segments == 1);
        CHECK(opened.store->ledger().booked.encoded_bytes == 1000);
        CHECK(opened.store->ledger().head == *must_read(dir.path())->head());
        exec(dir.path(),
             "CREATE TRIGGER odd BEFORE INSERT ON segments WHEN NEW.seq = 13 BEGIN "
             "SELECT RAISE(ABORT, 'unlucky'); END");
        CHECK_FALSE(commit(*opened.store, mailbox, a_segment(13)));
        CHECK(opened.store->ledger().booked.segments == 1);
        CHECK(opened.store->ledger().head.rows == 1);
    }
    const auto opened = must_open(dir.path(), mailbox.executor());
    CHECK(opened.store->ledger().booked == LedgerTotals{});  // counters begin anew
    CHECK(opened.store->ledger().head == *must_read(dir.path())->head());
}

TEST_CASE("one number with other bytes is another segment, and paid as one", "[store][ledger]") {
    const DataFolder dir;
    Mailbox mailbox;
    const auto opened = must_open(dir.path(), mailbox.executor());
    CHECK(commit(*opened.store, mailbox, a_segment(7)));
    auto other = a_segment(7);
    other.segment.sha256[5] = 1;
    CHECK(commit(*opened.store, mailbox, other));
    CHECK(commit(*opened.store, mailbox, other));
    CHECK(segments_in(dir.path(), {}) == 2);
}

TEST_CASE("a time is from its first instant to before its last", "[store][ledger]") {
    const DataFolder dir;
    Mailbox mailbox;
    const auto opened = must_open(dir.path(), mailbox.executor());
    for (const std::int64_t ms : {100, 200, 300})
        CHECK(commit(*opened.store, mailbox, at(ms, static_cast<std::uint64_t>(ms))));
    const auto count = [&](std::optional<WallTime> since, std::optional<WallTime> until) {
        return segments_in(dir.path(), {since, until});
    };
    CHECK(count({}, {}) == 3);
    CHECK(count(WallTime{100}, WallTime{300}) == 2);
    CHECK(count(WallTime{101}, {}) == 2);
    CHECK(count({}, WallTime{100}) == 0);
    CHECK(count(WallTime{300}, WallTime{100}) == 0);
}

TEST_CASE("times never fall, whatever the clock does", "[store][ledger]") {
    const DataFolder dir;
    Mailbox mailbox;
    {
        const auto opened = must_open(dir.path(), mailbox.executor());
        CHECK(commit(*opened.store, mailbox, at(1000, 1)));
        CHECK(commit(*opened.store, mailbox, at(500, 2)));
        CHECK(commit(*opened.store, mailbox, at(1500, 3)));
    }
    const auto opened = must_open(dir.path(), mailbox.executor());
    CHECK(commit(*opened.store, mailbox, at(700, 4)));
    CHECK(look(dir.path(), "SELECT committed_ms FROM segments WHERE seq = 2") == 1000);
    CHECK(look(dir.path(), "SELECT committed_ms FROM segments WHERE seq = 4") == 1500);
}

TEST_CASE("a closed period gets no further row and cannot be changed", "[store][ledger]") {
    const DataFolder dir;
    Mailbox mailbox;
    const auto opened = must_open(dir.path(), mailbox.executor());
    CHECK(commit(*opened.store, mailbox, at(100, 1)));
    CHECK(commit(*opened.store, mailbox, at(199, 2)));
    REQUIRE(close_period(*opened.store, mailbox, dir.path(), WallTime{200}));
    CHECK(commit(*opened.store, mailbox, at(150, 3)));  // on its way when the period was closed
    CHECK(segments_in(dir.path(), {{}, WallTime{200}}) == 2);
    CHECK(segments_in(dir.path(), {WallTime{200}, {}}) == 1);

    const auto ledger = must_read(dir.path());
    const auto period = ledger->period(1);
    REQUIRE(period);
    CHECK(period->position == 2);
    CHECK(period->lines.at(0).totals.segments == 2);
    CHECK(period->lines.at(0).transcoder_name == "w1");
    REQUIRE_FALSE(ledger->period(2));
    CHECK(ledger->period(2).error().kind == ErrorKind::bad_input);
    for (const char* sql : {"UPDATE segments SET encoded_pixels = 1", "DELETE FROM segments",
                            "UPDATE periods SET until_ms = 1", "DELETE FROM periods",
                            "UPDATE period_totals SET segments = 1", "DELETE FROM period_totals"}) {
        INFO(sql);
        CHECK_THROWS_WITH(exec(dir.path(), sql), Contains("never"));
    }
}

TEST_CASE("periods follow each other without a gap, in order, and may be empty",
          "[store][ledger]") {
    const DataFolder dir;
    Mailbox mailbox;
    const auto opened = must_open(dir.path(), mailbox.executor());
    const auto close = [&](std::int64_t ms) {
        return close_period(*opened.store, mailbox, dir.path(), WallTime{ms});
    };
    CHECK(close(50));
    CHECK(commit(*opened.store, mailbox, at(60, 1)));
    CHECK(close(100));
    CHECK(close(150));
    const auto again = close(150);
    REQUIRE_FALSE(again);
    CHECK(again.error().kind == ErrorKind::bad_input);
    const auto ledger = must_read(dir.path());
    const auto periods = ledger->periods();
    REQUIRE(periods);
    REQUIRE(periods->size() == 3);
    CHECK(periods->at(0).position == 0);
    CHECK(periods->at(1).position == 1);
    CHECK(periods->at(1).from == WallTime{50});
    CHECK(periods->at(2).position == 1);
    CHECK(periods->at(2).chain == ledger->head()->chain);
    check_whole(*ledger);
}

TEST_CASE("a period is refused that was not held, or that somebody else closed",
          "[store][ledger]") {
    const DataFolder dir;
    Mailbox mailbox;
    const auto opened = must_open(dir.path(), mailbox.executor());
    CHECK(commit(*opened.store, mailbox, at(100, 1)));
    auto period = must_read(dir.path())->draft(WallTime{500}, WallTime{900});
    REQUIRE(period);
    const auto close = [&](store::ClosedPeriod what) {
        std::optional<Result<void>> answer;
        opened.store->close_period(std::move(what),
                                   [&](const Result<void>& result) { answer = result; });
        REQUIRE(mailbox.run_until([&] { return answer.has_value(); }));
        return *answer;
    };
    CHECK_FALSE(close(*period));
    CHECK(close_period(*opened.store, mailbox, dir.path(), WallTime{500}));
    CHECK_FALSE(close(*period));
    CHECK(must_read(dir.path())->periods()->size() == 1);
}

TEST_CASE("a sum that does not fit says so and adds nothing", "[store][ledger]") {
    LedgerTotals sum;
    LedgerTotals large;
    large.encoded_pixels = INT64_MAX;
    large.segments = 1;
    CHECK(sum.add(large));
    CHECK_FALSE(sum.add(large));
    CHECK(sum == large);

    const DataFolder dir;
    Mailbox mailbox;
    const auto opened = must_open(dir.path(), mailbox.executor());
    for (const std::uint64_t seq : {1, 2}) {
        auto record = a_segment(seq);
        record.report.source.pixels = INT64_MAX;
        CHECK(commit(*opened.store, mailbox, record));
    }
    const auto sums = must_read(dir.path())->sums(LedgerBy::session, {});
    REQUIRE_FALSE(sums);
    CHECK(sums.error().kind == ErrorKind::overloaded);
    CHECK_THAT(sums.error().message, Contains("shorter time"));
}

TEST_CASE("a ledger of the version before comes along with all its rows, chained",
          "[store][ledger]") {
    const DataFolder dir;
    Mailbox mailbox;
    (void)must_open(dir.path(), mailbox.executor());
    {
        // As version 3 left it.
        std::filesystem::remove(dir / "millrace.db");
        dir.write("millrace.db", "");
        std::filesystem::permissions(dir / "millrace.db", std::filesystem::perms(0600));
        SQLite::Database db(dir / "millrace.db", SQLite::OPEN_READWRITE);
        for (int version = 0; version < 3; ++version)
            db.exec(store::kMigrations.at(static_cast<std::size_t>(version)));
        db.exec("PRAGMA application_id = " + std::to_string(store::kApplicationId));
        db.exec("PRAGMA user_version = 3");
        for (const int ms : {300, 100, 200})
            db.exec("INSERT INTO segments VALUES ('s', 0, " + std::to_string(ms) +
                    ", x'00', 'acme', 'key', 'w', 10, 20, 30, 40, 50, 60, "
                    "'[{\"name\":\"a\",\"bytes\":5},{\"name\":\"b\",\"bytes\":7}]', " +
                    std::to_string(ms) + ")");
    }
    const auto refused = Ledger::open(dir.path());
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message, Contains("--data-dir") && Contains("earlier version"));
    const auto opened = must_open(dir.path(), mailbox.executor());
    CHECK(commit(*opened.store, mailbox, at(400, 400)));
    const auto ledger = must_read(dir.path());
    check_whole(*ledger);
    CHECK(ledger->head()->rows == 4);
    CHECK(segments_in(dir.path(), {WallTime{100}, WallTime{300}}) == 2);
    CHECK(ledger->sums(LedgerBy::account, {{}, WallTime{400}})->total.encoded_bytes == 36);
    CHECK(look(dir.path(), "SELECT seq FROM segments WHERE position = 1") == 100);
}

TEST_CASE("what is no ledger is refused by name of the flag", "[store][ledger]") {
    const DataFolder dir;
    const auto nothing = Ledger::open(dir.path());
    REQUIRE_FALSE(nothing);
    CHECK(nothing.error().kind == ErrorKind::bad_input);
    CHECK_THAT(nothing.error().message, Contains("--data-dir"));
    dir.write("millrace.db", std::string(5000, 'x'));
    CHECK_FALSE(Ledger::open(dir.path()));
}
