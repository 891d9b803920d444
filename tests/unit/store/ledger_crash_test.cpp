// Ten thousand random bookings on SQLite, with kill -9 at random instants and periods closed between: every sum
// equals the naive model's, nothing is booked twice or lost, and the chain holds.

#include "tests/unit/store/crash_writer.h"
#include "tests/unit/store/ledger_fixture.h"

using namespace millrace;
using namespace millrace::test;

TEST_CASE("ten thousand bookings with kills add up as a naive model says", "[store][ledger]") {
    constexpr std::uint64_t kBookings = 10'000;
    const DataFolder dir;
    Mailbox mailbox;
    Rng rng(7);
    std::uint64_t next = 0;  // the first that was not acknowledged
    int kills = 0;
    LedgerTotals in_periods;
    std::int64_t periods = 0;
    while (next < kBookings) {
        const std::uint64_t enough = std::min(kBookings - next, 1 + rng.below(600));
        next += crash_writer(dir.path(), next, enough, a_booking).acknowledged;
        ++kills;
        if (!rng.chance(0.2))
            continue;
        const auto opened = must_open(dir.path(), mailbox.executor());
        REQUIRE(close_period(*opened.store, mailbox, dir.path(), a_booking(next).committed_at));
        ++periods;
    }
    {
        // What was on its way when it was killed may or may not be there: it is sent again, as its sender would.
        const auto opened = must_open(dir.path(), mailbox.executor());
        for (std::uint64_t n = next; n < next + kInFlight; ++n)
            CHECK(commit(*opened.store, mailbox, a_booking(n)));
    }
    NaiveLedger naive;
    for (std::uint64_t n = 0; n < next + kInFlight; ++n)
        naive.book(a_booking(n));
    const auto ledger = must_read(dir.path());
    naive.check(*ledger);
    check_whole(*ledger);
    CHECK(kills > 20);
    CHECK(naive.total().segments < static_cast<std::int64_t>(next));  // some were repeats

    REQUIRE(periods > 2);
    WallTime end{0};
    for (std::int64_t number = 1; number <= periods; ++number) {
        const auto period = ledger->period(number);
        REQUIRE(period);
        CHECK(period->from == end);
        end = period->until;
        for (const store::PeriodLine& line : period->lines)
            REQUIRE(in_periods.add(line.totals));
    }
    const auto open = ledger->sums(LedgerBy::account, {end, std::nullopt});
    REQUIRE(open);
    REQUIRE(in_periods.add(open->total));
    CHECK(in_periods == naive.total());
}
