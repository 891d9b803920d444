#include "transcoder/core/slots.h"

#include "tests/unit/transcoder_core/rig.h"

namespace millrace::transcoder {

TEST_CASE("a table grants as many slots as it has and no more", "[transcoder][slots]") {
    SlotTable table(2);
    CHECK(table.grant({kFirst, session("a")}, {}) == kSlot0);
    CHECK(table.grant({kSecond, session("a")}, {}) == kSlot1);  // another orchestrator's session
    CHECK_FALSE(table.grant({kFirst, session("b")}, {}));
    CHECK(table.free() == 0);
    table.check_invariants();
}

TEST_CASE("a released slot is free once its queue is empty", "[transcoder][slots]") {
    SlotTable table(1);
    const SlotNo slot = *table.grant({kFirst, session("a")}, {});
    table.enqueue(slot, ref(1));
    CHECK_FALSE(table.release(slot));
    CHECK(table.free() == 0);
    CHECK(table.dequeue(slot, ref(1)));
    CHECK(table.free() == 1);
    CHECK_FALSE(table.find({kFirst, session("a")}));
    table.check_invariants();
}

TEST_CASE("a slot with a ready engine is granted before one whose engine is being replaced",
          "[transcoder][slots]") {
    SlotTable table(2);
    table.set_engine(kSlot0, EngineState::replacing);
    CHECK(table.grant({kFirst, session("a")}, {}) == kSlot1);
    CHECK(table.grant({kFirst, session("b")}, {}) == kSlot0);
}

TEST_CASE("fewer slots cut nothing: the surplus drains before anything is granted",
          "[transcoder][slots]") {
    SlotTable table(3);
    for (const char* name : {"a", "b", "c"})
        REQUIRE(table.grant({kFirst, session(name)}, {}));
    table.resize(2);
    CHECK(table.reserved() == 3);
    CHECK(table.free() == 0);
    table.release(kSlot0);
    CHECK(table.free() == 0);
    CHECK_FALSE(table.grant({kFirst, session("d")}, {}));
    table.release(SlotNo{2});
    CHECK(table.grant({kFirst, session("d")}, {}) == kSlot0);
    table.check_invariants();
}

TEST_CASE("the load is the sum of the costs of what was granted", "[transcoder][slots]") {
    SlotTable table(2);
    REQUIRE(
        table.grant({kFirst, session("a")},
                    {.decode_pixels = 10, .encode_pixels = 20, .encoder_sessions = 1, .bytes = 5}));
    REQUIRE(
        table.grant({kFirst, session("b")},
                    {.decode_pixels = 1, .encode_pixels = 2, .encoder_sessions = 1, .bytes = 5}));
    CHECK(table.load().encode_pixels == 22);
    table.release(kSlot0);
    CHECK(table.load().encode_pixels == 2);
}

}  // namespace millrace::transcoder
