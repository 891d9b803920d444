#include "transcoder/engine/standstill.h"

#include "tests/support/catch.h"

namespace millrace::engine {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPatience = Standstill::kPatience;

struct Engine {
    Engine() { standstill.moved(now, cpu); }
    void goes_on(Duration time, Duration used) {
        now += time;
        cpu += used;
    }
    [[nodiscard]] bool stands() const { return standstill.lasts(now, cpu); }

    TimePoint now{1h};
    Duration cpu = 7s;
    Standstill standstill;
};

}  // namespace

TEST_CASE("an engine that takes a core and says nothing stands still", "[engine]") {
    Engine loops;
    loops.goes_on(kPatience - 1ms, kPatience - 1ms);
    CHECK_FALSE(loops.stands());
    loops.goes_on(1ms, 1ms);
    CHECK(loops.stands());
}

TEST_CASE("an engine that waits, for its source or a core, does not stand still", "[engine]") {
    Engine waits;
    waits.goes_on(60s, kPatience / 2);
    CHECK_FALSE(waits.stands());
}

TEST_CASE("an engine that takes many cores and gets on does not stand still", "[engine]") {
    Engine works;
    for (int i = 0; i < 20; ++i) {
        works.goes_on(kPatience / 2, 8 * kPatience);
        CHECK_FALSE(works.stands());
        works.standstill.moved(works.now, works.cpu);
    }
}

}  // namespace millrace::engine
