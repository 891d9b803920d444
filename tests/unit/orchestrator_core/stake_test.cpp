// Stake as a limit: exact amounts, the policy in virtual time, and what admission makes of it.

#include "common/base/rng.h"
#include "common/domain/lpt.h"
#include "orchestrator/core/stake_policy.h"
#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace std::chrono_literals;

namespace {

const TimePoint kStart{};

Lpt lpt(std::string_view text) {
    return *Lpt::parse(text);
}

StakePolicy policy(std::string_view per_session) {
    return StakePolicy({lpt(per_session), 10min});
}

}  // namespace

TEST_CASE("amounts of LPT are read and written to the last of 18 decimals", "[stake]") {
    for (const std::string text :
         {"0", "1", "1500.25", "0.000000000000000001", "999999999999999999.999999999999999999"})
        CHECK(lpt(text).text() == text);
    CHECK(lpt("007.50").text() == "7.5");
    CHECK(lpt("1").units() == 1'000'000'000'000'000'000U);
}

TEST_CASE("what is not a plain decimal is no amount of LPT", "[stake]") {
    for (const std::string text :
         {"", ".", "1.", ".5", "-1", "+1", "1e3", " 1", "1 ", "1,5", "0x10", "1.2.3", "NaN",
          "1.0000000000000000001", "1000000000000000000"}) {
        INFO(text);
        CHECK_FALSE(Lpt::parse(text).has_value());
    }
}

TEST_CASE("stake backs whole sessions only, to the last base unit", "[stake]") {
    CHECK(sessions_backed(lpt("3"), lpt("1")) == 3);
    CHECK(sessions_backed(lpt("2.999999999999999999"), lpt("1")) == 2);
    CHECK(sessions_backed(lpt("0.3"), lpt("0.1")) == 3);  // floating point says 2
    CHECK(sessions_backed(lpt("0"), lpt("0.000000000000000001")) == 0);
    CHECK(sessions_backed(lpt("40000000"), lpt("0.000000000000000001")) == UINT32_MAX);
}

TEST_CASE("random amounts survive being written and read", "[stake]") {
    Rng rng(7);
    for (int i = 0; i < 2000; ++i) {
        const auto high = static_cast<Lpt::Units>(rng.below(1ULL << 55));
        const Lpt amount = Lpt::of_units((high << 64 | rng.next()) >> rng.below(110));
        CHECK(lpt(amount.text()) == amount);
    }
}

TEST_CASE("nothing is backed before stake was ever read", "[stake]") {
    const StakePolicy stake = policy("1");
    CHECK(stake.limit(kStart) == StakeLimit{0, false});
    CHECK(stake.state(kStart) == StakeState::unknown);
    CHECK_FALSE(stake.next_deadline(kStart));
}

TEST_CASE("active stake backs floor(stake / price) sessions", "[stake]") {
    StakePolicy stake = policy("500");
    stake.read({lpt("1999.999"), true, 7}, kStart);
    CHECK(stake.limit(kStart) == StakeLimit{3, true});
    CHECK(stake.state(kStart) == StakeState::active);
}

TEST_CASE("without a price active stake sets no number", "[stake]") {
    StakePolicy stake = policy("0");
    stake.read({lpt("0"), true, {}}, kStart);
    CHECK(stake.limit(kStart) == StakeLimit{std::nullopt, true});
}

TEST_CASE("outside the active set nothing is backed, however much is staked", "[stake]") {
    StakePolicy stake = policy("1");
    stake.read({lpt("1000000"), false, {}}, kStart);
    CHECK(stake.limit(kStart) == StakeLimit{0, false});
    CHECK(stake.state(kStart) == StakeState::inactive);
}

TEST_CASE("a source that fails leaves the last value for ten minutes, then nothing", "[stake]") {
    StakePolicy stake = policy("1");
    stake.read({lpt("4"), true, {}}, kStart);
    stake.failed();
    CHECK(stake.state(kStart + 1s) == StakeState::stale);
    CHECK(stake.limit(kStart + 10min - 1ms) == StakeLimit{4, true});
    REQUIRE(stake.next_deadline(kStart + 1s) == kStart + 10min);
    CHECK(stake.limit(kStart + 10min) == StakeLimit{0, false});
    CHECK(stake.state(kStart + 10min) == StakeState::unknown);
    CHECK(stake.last()->tokens == lpt("4"));
}

TEST_CASE("a source that says nothing at all is no better than one that fails", "[stake]") {
    StakePolicy stake = policy("1");
    stake.read({lpt("4"), true, {}}, kStart);
    CHECK(stake.limit(kStart + 11min) == StakeLimit{0, false});
}

TEST_CASE("a good reading ends a failure at once", "[stake]") {
    StakePolicy stake = policy("1");
    stake.read({lpt("4"), true, {}}, kStart);
    stake.failed();
    stake.read({lpt("5"), true, {}}, kStart + 20min);
    CHECK(stake.state(kStart + 20min) == StakeState::active);
    CHECK(stake.limit(kStart + 20min) == StakeLimit{5, true});
}
