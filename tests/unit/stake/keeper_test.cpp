// StakeKeeper: a thread that asks, a loop that judges.

#include <atomic>
#include <semaphore>

#include "orchestrator/stake/stake_keeper.h"
#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::stake;
using namespace std::chrono_literals;

namespace {

constexpr Duration kPatience = 10s;

// Answers what the test has put there, as often as it is asked.
class Script final : public StakeSource {
public:
    explicit Script(std::shared_ptr<std::atomic<int>> step) : step_(std::move(step)) {}
    [[nodiscard]] std::string name() const override { return "script"; }
    [[nodiscard]] Duration interval() const override { return 1ms; }
    [[nodiscard]] Result<StakeReading> read() override {
        const int step = *step_;
        if (step < 0)
            return error(ErrorKind::disconnected, "the node is down");
        return StakeReading{Lpt::of_units(static_cast<unsigned>(step)), true, std::nullopt};
    }

private:
    std::shared_ptr<std::atomic<int>> step_;
};

}  // namespace

TEST_CASE("the core is told what holds before, and whenever the limit changes", "[stake]") {
    Loop loop;
    std::vector<StakeLimit> told;
    auto step = std::make_shared<std::atomic<int>>(3);
    StakeKeeper keeper(loop, std::make_unique<Script>(step), {Lpt::of_units(1), 10min},
                       [&](const StakeLimit& limit) { told.push_back(limit); });
    CHECK(told == std::vector{StakeLimit{0, false}});
    REQUIRE(loop.run_until([&] { return told.size() == 2; }, loop.now() + kPatience));
    CHECK(told.back() == StakeLimit{3, true});
    *step = 2;
    REQUIRE(loop.run_until([&] { return told.size() == 3; }, loop.now() + kPatience));
    CHECK(told.back() == StakeLimit{2, true});
    CHECK(keeper.view().state == "active");
}

TEST_CASE("a failing source keeps the limit and is shown with its reason", "[stake]") {
    Loop loop;
    std::vector<StakeLimit> told;
    auto step = std::make_shared<std::atomic<int>>(3);
    StakeKeeper keeper(loop, std::make_unique<Script>(step), {Lpt::of_units(1), 10min},
                       [&](const StakeLimit& limit) { told.push_back(limit); });
    REQUIRE(loop.run_until([&] { return told.size() == 2; }, loop.now() + kPatience));
    *step = -1;
    REQUIRE(loop.run_until([&] { return keeper.view().state == "stale"; }, loop.now() + kPatience));
    CHECK(told.size() == 2);
    CHECK(keeper.view().problem == "the node is down");
    CHECK(keeper.view().tokens == Lpt::of_units(3));
}

TEST_CASE("what was read last is kept, and holds after a restart for what is left of the grace",
          "[stake]") {
    Loop loop;
    std::vector<KeptStake> kept;
    auto step = std::make_shared<std::atomic<int>>(3);
    const auto keep = [&kept](const KeptStake& stake) { kept.push_back(stake); };
    {
        StakeKeeper keeper(loop, std::make_unique<Script>(step), {Lpt::of_units(1), 10min},
                           [](const StakeLimit&) {}, {std::nullopt, keep});
        REQUIRE(loop.run_until([&] { return kept.size() == 1; }, loop.now() + kPatience));
        *step = 4;
        REQUIRE(loop.run_until([&] { return kept.size() == 2; }, loop.now() + kPatience));
    }
    CHECK(kept[1].subject == "script");
    CHECK(kept[1].reading == StakeReading{Lpt::of_units(4), true, std::nullopt});

    *step = -1;  // the next process finds the node down
    const auto first_told = [&](KeptStake memory) {
        std::vector<StakeLimit> told;
        const StakeKeeper keeper(loop, std::make_unique<Script>(step), {Lpt::of_units(1), 10min},
                                 [&](const StakeLimit& limit) { told.push_back(limit); },
                                 {std::move(memory), keep});
        CHECK(keeper.view().state == (told.front().active ? "stale" : "unknown"));
        return told.front();
    };
    KeptStake memory = kept[1];
    CHECK(first_told(memory) == StakeLimit{4, true});
    memory.read_at.ms -= to_ms(9min);
    CHECK(first_told(memory) == StakeLimit{4, true});
    memory.read_at.ms -= to_ms(1min);
    CHECK(first_told(memory) == StakeLimit{0, false});
    memory.read_at.ms += to_ms(20min);  // the clock was set back
    CHECK(first_told(memory) == StakeLimit{0, false});
    memory = kept[1];
    memory.subject = "another orchestrator's";
    CHECK(first_told(memory) == StakeLimit{0, false});
    CHECK(kept.size() == 2);
}
