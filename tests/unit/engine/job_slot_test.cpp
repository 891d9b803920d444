// When an engine gives back the memory that it keeps between two tasks.

#include "transcoder/engine/job_slot.h"

#include <future>
#include <string>
#include <thread>

#include "tests/support/catch.h"

using namespace millrace;
using namespace std::chrono_literals;
using Slot = engine::JobSlot<std::string>;

namespace {

// Who waits for so long was not told.
constexpr Duration kNever = 20s;

struct Watch {
    TimePoint since = std::chrono::steady_clock::now();
    ~Watch() { CHECK(std::chrono::steady_clock::now() - since < kNever / 2); }
};

}  // namespace

TEST_CASE("an engine without a task gives back at once when told", "[engine][memory]") {
    const Watch watch;
    Slot slot;
    int given = 0;
    slot.give_back();
    // What it is told while it waits it does, too, and goes on waiting.
    CHECK(slot.take(
              [&] {
                  if (++given == 1)
                      slot.give_back();
                  else
                      slot.put("task");
              },
              kNever) == "task");
    CHECK(given == 2);
}

TEST_CASE("told by another thread it wakes up", "[engine][memory]") {
    const Watch watch;
    Slot slot;
    std::promise<void> told;
    std::jthread worker([&] { CHECK_FALSE(slot.take([&] { told.set_value(); }, kNever)); });
    slot.give_back();
    told.get_future().wait();
    slot.close();
}

TEST_CASE("with a task there it means nothing, also not later", "[engine][memory]") {
    const Watch watch;
    Slot slot;
    const auto nothing = [] { FAIL("it was given back"); };
    slot.put("first");
    slot.give_back();
    CHECK(slot.take(nothing, kNever) == "first");
    slot.give_back();  // while the task runs
    slot.ended();
    slot.put("second");
    CHECK(slot.take(nothing, kNever) == "second");
    slot.ended();
    // Whoever is told that it ended may answer before the worker waits again.
    slot.give_back();
    bool given = false;
    CHECK(slot.take(
              [&] {
                  given = true;
                  slot.put("third");
              },
              kNever) == "third");
    CHECK(given);
}

TEST_CASE("nobody told: once after a while", "[engine][memory]") {
    Slot slot;
    int given = 0;
    CHECK_FALSE(slot.take(
        [&] {
            ++given;
            slot.close();
        },
        0s));
    CHECK(given == 1);
}
