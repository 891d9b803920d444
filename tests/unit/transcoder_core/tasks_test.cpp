#include "transcoder/core/tasks.h"

#include "tests/unit/transcoder_core/rig.h"

namespace millrace::transcoder {

TEST_CASE("a segment's deadline is three times its duration, between 4 and 30 seconds",
          "[transcoder][tasks]") {
    CHECK(deadline_for(2s) == 6s);
    CHECK(deadline_for(500ms) == 4s);
    CHECK(deadline_for(60s) == 30s);
    CHECK(deadline_for(Duration::max()) == 30s);
    CHECK(deadline_for(0s) == 12s);  // unknown counts as 4 s
    CHECK(deadline_for(-1s) == 12s);
}

TEST_CASE("what an orchestrator says about time left is believed within bounds",
          "[transcoder][tasks]") {
    const TimePoint now{1h};
    CHECK(deadline_after(now, 2500) == now + 2500ms);
    CHECK(deadline_after(now, -5) == now);
    CHECK(deadline_after(now, std::numeric_limits<std::int64_t>::max()) == now + 30s);
}

TEST_CASE("a task that ended is known for a while, until its orchestrator's epoch is over",
          "[transcoder][tasks]") {
    TaskTable table;
    table.add(ref(1));
    CHECK(table.known(ref(1)));
    table.end(ref(1));
    CHECK(table.known(ref(1)));
    CHECK(table.find(ref(1)) == nullptr);
    CHECK_FALSE(table.known(ref(1, 2)));
    table.forget_ended(kSecond);
    CHECK(table.known(ref(1)));
    table.forget_ended(kFirst);
    CHECK_FALSE(table.known(ref(1)));
}

TEST_CASE("the memory of ended tasks is bounded and forgets the oldest", "[transcoder][tasks]") {
    TaskTable table;
    for (std::uint64_t i = 0; i <= kEndedRemembered; ++i) {
        table.add(ref(i + 1));
        table.end(ref(i + 1));
    }
    CHECK_FALSE(table.known(ref(1)));
    CHECK(table.known(ref(2)));
}

}  // namespace millrace::transcoder
