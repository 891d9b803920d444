#pragma once
// Quotas: what the accounts have used of their limits, in virtual time.
//
// Rules
// - A rate is a token bucket: kSegmentsBurst or kRateBurst of it may come at once, then it flows.
// - Whoever is let in pays afterwards: a bucket may go into debt (a segment's bytes are known when it is
//   there, its pixels when it is booked), and nobody is let in before the debt is worked off.
//     Why: refusing what is larger than the bucket would refuse it for ever.
// - A repeat of a segment costs nothing; an upload that comes to nothing gets back what it paid.
// - An account without limits, and nobody in particular (--auth none), is never refused.
//
// Thread: orchestrator loop. Owner: OrchestratorCore. Clock: none.

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/domain/account.h"
#include "orchestrator/core/effects.h"

namespace millrace::orchestrator {

inline constexpr Duration kSegmentsBurst = std::chrono::minutes(1);
inline constexpr Duration kRateBurst = std::chrono::seconds(10);

// A token bucket in whole numbers: the same calls give the same answers on every machine.
class Bucket {
public:
    // `rate` units in each `period`, of which `burst`'s worth may come at once. Starts full.
    Bucket(std::uint64_t rate, Duration period, Duration burst, TimePoint now);

    void take(std::uint64_t units, TimePoint now);
    void give_back(std::uint64_t units);
    // How long until there is one unit; zero = there is.
    [[nodiscard]] Duration wait(TimePoint now);

private:
    void fill(TimePoint now);

    // Levels are units times milliseconds of the period: no fraction is ever lost.
    std::int64_t rate_;
    std::int64_t period_ms_;
    std::int64_t capacity_;
    std::int64_t level_;
    TimePoint filled_at_;
};

class Quotas {
public:
    // New, or with other limits: its buckets start full.
    void set(const AccountId& account, const AccountLimits& limits, TimePoint now);
    void remove(const AccountId& account);
    [[nodiscard]] bool known(const AccountId& account) const;

    // QuotaExceeded, naming the limit. `open_sessions`: of the account, when the request would open a
    // further one.
    [[nodiscard]] std::optional<Refusal> judge_session(const AccountId& account,
                                                       std::size_t open_sessions) const;
    [[nodiscard]] std::optional<Refusal> judge_segment(const AccountId& account, TimePoint now);

    void charge_segment(const AccountId& account, std::uint64_t bytes, TimePoint now);
    void give_back_segment(const AccountId& account, std::uint64_t bytes);
    void charge_pixels(const AccountId& account, std::int64_t pixels, TimePoint now);

private:
    struct Meter {
        AccountLimits limits;
        std::optional<Bucket> segments;
        std::optional<Bucket> bytes;
        std::optional<Bucket> pixels;
    };
    [[nodiscard]] Meter* find(const AccountId& account);

    std::map<AccountId, Meter> meters_;
};

}  // namespace millrace::orchestrator
