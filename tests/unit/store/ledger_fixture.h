#pragma once
// What the tests of the ledger share: random bookings and a naive model of what they add up to.

#include <map>
#include <set>
#include <tuple>

#include "common/base/rng.h"
#include "orchestrator/store/ledger.h"
#include "tests/unit/store/store_fixture.h"

namespace millrace::test {

using store::Ledger;
using store::LedgerBy;
using store::LedgerTotals;

inline std::unique_ptr<Ledger> must_read(const std::string& dir) {
    auto ledger = Ledger::open(dir);
    INFO((ledger ? std::string() : ledger.error().message));
    REQUIRE(ledger);
    return *std::move(ledger);
}

// Booking number n of an endless sequence, the same whenever it is asked for: about a quarter repeat an earlier
// segment (perhaps made by another transcoder: a retry or a hedge), few are the same number with other bytes.
inline store::CommitRecord a_booking(std::uint64_t n) {
    Rng rng(n + 1);
    const bool repeat = n > 0 && rng.chance(0.25);
    const std::uint64_t which = repeat ? n - 1 - rng.below(std::min<std::uint64_t>(n, 300)) : n;
    Rng segment(which * 7919 + 3);
    store::CommitRecord record =
        a_segment(segment.below(400), "s" + std::to_string(segment.below(9)));
    record.segment.run = static_cast<std::uint32_t>(segment.below(3));
    record.segment.sha256[0] = static_cast<std::uint8_t>(segment.below(2));
    record.account = AccountId{"a" + std::to_string(record.segment.session.value.back() % 4)};
    record.source_bytes = segment.below(5'000'000);
    record.report.source.frames = static_cast<std::int64_t>(segment.below(600));
    record.report.source.pixels = record.report.source.frames * 1920 * 1080;
    record.report.source.duration = std::chrono::microseconds(segment.below(10'000'000));
    for (RenditionReport& rendition : record.report.renditions) {
        rendition.frames = static_cast<std::int64_t>(segment.below(600));
        rendition.pixels = rendition.frames * rendition.size.pixels();
        rendition.bytes = segment.below(1'000'000);
    }
    const std::string transcoder = std::to_string(rng.below(5));
    record.transcoder = TranscoderKey{"key" + transcoder};
    record.transcoder_name = "w" + transcoder;
    // A clock that is set back now and then.
    record.committed_at = {1'000'000 + static_cast<std::int64_t>(n * 10) -
                           static_cast<std::int64_t>(rng.chance(0.1) ? rng.below(5'000) : 0)};
    return record;
}

// What a thoughtful person with a pencil would have written down.
class NaiveLedger {
public:
    void book(const store::CommitRecord& r) {
        const SegmentKey& key = r.segment;
        if (!seen_.insert({key.session.value, key.run, key.seq, key.sha256}).second)
            return;
        LedgerTotals one;
        one.segments = 1;
        one.duration_us =
            std::chrono::duration_cast<std::chrono::microseconds>(r.report.source.duration).count();
        one.decoded_frames = r.report.source.frames;
        one.decoded_pixels = r.report.source.pixels;
        one.source_bytes = static_cast<std::int64_t>(r.source_bytes);
        for (const RenditionReport& rendition : r.report.renditions) {
            one.encoded_frames += rendition.frames;
            one.encoded_pixels += rendition.pixels;
            one.encoded_bytes += static_cast<std::int64_t>(rendition.bytes);
        }
        for (auto* sums : {&by_[LedgerBy::transcoder][r.transcoder.value],
                           &by_[LedgerBy::account][r.account.value],
                           &by_[LedgerBy::session][key.session.value], &total_})
            REQUIRE(sums->add(one));
    }

    // All three ways of adding up agree with this one.
    void check(Ledger& ledger) const {
        for (const LedgerBy by : {LedgerBy::transcoder, LedgerBy::account, LedgerBy::session}) {
            const auto sums = ledger.sums(by, {});
            REQUIRE(sums);
            CHECK(sums->total == total_);
            std::map<std::string, LedgerTotals> lines;
            for (const store::LedgerLine& line : sums->lines)
                lines[line.id] = line.totals;
            CHECK(lines == by_.at(by));
        }
    }
    [[nodiscard]] const LedgerTotals& total() const { return total_; }

private:
    std::set<std::tuple<std::string, std::uint32_t, std::uint64_t, Sha256>> seen_;
    std::map<LedgerBy, std::map<std::string, LedgerTotals>> by_;
    LedgerTotals total_;
};

inline void check_whole(Ledger& ledger) {
    const auto check = ledger.verify();
    REQUIRE(check);
    CHECK(check->problem.value_or("") == "");
    CHECK(check->head == *ledger.head());
}

// As the admin API does it.
inline Result<void> close_period(store::Store& store, Mailbox& mailbox, const std::string& dir,
                                 WallTime until) {
    std::optional<Result<void>> answer;
    const auto keep = [&answer](const Result<void>& result) { answer = result; };
    store.hold_ledger(until, keep);
    REQUIRE(mailbox.run_until([&] { return answer.has_value(); }));
    auto period = must_read(dir)->draft(until, WallTime{5'000'000'000});
    if (!period)
        return period.error();
    answer.reset();
    store.close_period(*std::move(period), keep);
    REQUIRE(mailbox.run_until([&] { return answer.has_value(); }));
    return *answer;
}

}  // namespace millrace::test
