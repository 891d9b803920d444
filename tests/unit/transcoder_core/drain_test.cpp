#include "tests/unit/transcoder_core/rig.h"

namespace millrace::transcoder {

TEST_CASE("a drain with nothing to do says goodbye and ends at once", "[transcoder][drain]") {
    Rig rig;
    rig.join();
    (void)rig.take();
    rig.core.drain(rig.now);
    CHECK(rig.sent<Leaving>() == std::vector{Leaving{30'000}});
    CHECK(rig.sent<Goodbye>().size() == 1);
    REQUIRE(rig.exited());
    CHECK(rig.exited()->code == 0);
}

TEST_CASE("a drain finishes what runs and waits, and takes nothing new", "[transcoder][drain]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    rig.dispatch(2, "a");
    rig.core.drain(rig.now);
    CHECK_FALSE(rig.core.ready());
    REQUIRE_FALSE(rig.sent<Heartbeat>().empty());
    CHECK(rig.sent<Heartbeat>().back().draining);
    CHECK(rig.sent<Heartbeat>().back().slots_free == 0);
    rig.reserve("b");
    REQUIRE(rig.sent<SlotRefused>().size() == 1);
    CHECK(rig.sent<SlotRefused>()[0].reason == SlotRefusal::draining);
    rig.receive(kFirst, a_dispatch(3, "a"));
    REQUIRE(rig.sent<TaskFailed>().size() == 1);
    CHECK(rig.sent<TaskFailed>()[0].kind == ErrorKind::overloaded);

    rig.finish(kSlot0, ref(1));
    rig.finish(kSlot0, ref(2));
    rig.core.renditions_sent(ref(1), rig.now);
    CHECK_FALSE(rig.exited());
    rig.core.renditions_sent(ref(2), rig.now);
    CHECK(rig.sent<Goodbye>().size() == 1);
    REQUIRE(rig.exited());
    CHECK(rig.exited()->code == 0);
}

TEST_CASE("a drain ends at its timeout whatever still runs", "[transcoder][drain]") {
    CoreConfig config = a_config();
    config.drain_timeout = 2s;
    Rig rig(config);
    rig.join();
    rig.dispatch(1, "a");
    rig.core.drain(rig.now);
    rig.pass(1s);
    rig.core.engine_progress(kSlot0, ref(1), 1s, 2s, 1, rig.now);
    rig.pass(999ms);
    CHECK_FALSE(rig.exited());
    rig.pass(1ms);
    REQUIRE(rig.exited());
    CHECK(rig.exited()->code == 0);
    CHECK(rig.all<StopEngine>().size() == 1);
}

TEST_CASE("a second drain leaves at once", "[transcoder][drain]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    rig.core.drain(rig.now);
    CHECK_FALSE(rig.exited());
    rig.core.drain(rig.now);
    REQUIRE(rig.exited());
    CHECK(rig.sent<Goodbye>().size() == 1);
}

TEST_CASE("the operator of the only orchestrator can send the process away",
          "[transcoder][drain]") {
    Rig rig;
    rig.join();
    rig.receive(kFirst, DrainRequest{true});
    CHECK(rig.sent<Leaving>().size() == 1);
    REQUIRE(rig.exited());
    CHECK(rig.exited()->code == 0);
}

TEST_CASE("the operator of one of several orchestrators ends only that join",
          "[transcoder][drain]") {
    Rig rig(a_config(2, 2));
    rig.join(kFirst);
    rig.join(kSecond, Epoch{3});
    rig.dispatch(1, "a", kFirst);
    (void)rig.take();
    rig.receive(kFirst, DrainRequest{true});
    CHECK(rig.sent<Leaving>(kFirst).size() == 1);
    CHECK(rig.sent<Leaving>(kSecond).empty());
    rig.reserve("b", kFirst);
    CHECK(rig.sent<SlotRefused>(kFirst).size() == 1);
    rig.finish(kSlot0, ref(1));
    rig.core.renditions_sent(ref(1), rig.now);
    CHECK(rig.sent<Goodbye>(kFirst).size() == 1);
    CHECK(rig.all<CloseLanes>() == std::vector{CloseLanes{kFirst}});
    CHECK_FALSE(rig.exited());
    rig.reserve("c", kSecond);
    CHECK(rig.sent<SlotGranted>(kSecond).size() == 1);
    CHECK(rig.core.status().slots_reserved == 1);
}

TEST_CASE("a cordon changes nothing here", "[transcoder][drain]") {
    Rig rig;
    rig.join();
    rig.receive(kFirst, DrainRequest{false});
    CHECK(rig.core.ready());
    CHECK_FALSE(rig.exited());
}

}  // namespace millrace::transcoder
