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
