#include "tests/unit/transcoder_core/rig.h"

namespace millrace::transcoder {

TEST_CASE("a slot is granted while one is free, then refused", "[transcoder][work]") {
    Rig rig(a_config(1));
    rig.join();
    rig.reserve("a");
    REQUIRE(rig.sent<SlotGranted>().size() == 1);
    CHECK(rig.sent<SlotGranted>()[0].slots_free == 0);
    rig.reserve("b");
    REQUIRE(rig.sent<SlotRefused>().size() == 1);
    CHECK(rig.sent<SlotRefused>()[0].reason == SlotRefusal::no_free_slot);
}

TEST_CASE("a session that asks twice holds one slot", "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.reserve("a");
    rig.receive(kFirst, Reserve{ReservationId{2}, session("a"), {}, 1});
    REQUIRE(rig.sent<SlotGranted>().size() == 2);
    CHECK(rig.sent<SlotGranted>()[1].reservation == ReservationId{2});
    CHECK(rig.core.status().slots_reserved == 1);
}

TEST_CASE("a session that costs more than is left is refused for its cost", "[transcoder][work]") {
    CoreConfig config = a_config(4);
    config.capacity.limits.encode_pixels = 100;  // pixels/s measured; the rest was not
    Rig rig(config);
    rig.join();
    Cost cost;
    cost.encode_pixels = 60;
    cost.bytes = 1'000'000'000;
    rig.receive(kFirst, Reserve{ReservationId{1}, session("a"), cost, 0});
    rig.receive(kFirst, Reserve{ReservationId{2}, session("b"), cost, 0});
    CHECK(rig.sent<SlotGranted>().size() == 1);
    REQUIRE(rig.sent<SlotRefused>().size() == 1);
    CHECK(rig.sent<SlotRefused>()[0].reason == SlotRefusal::cost);
}

TEST_CASE(
    "the CPU is one budget at this machine's prices, and an earlier minor's sessions count in it",
    "[transcoder][work]") {
    CoreConfig config = a_config(4);
    config.capacity.cpu = {.decode = 2, .scale = 1, .encode = 10, .available = 1000};
    Rig rig(config);
    rig.join();
    const Cost decodes{.decode_pixels = 200, .scale_pixels = 10, .encode_work = 10};  // 510
    rig.receive(kFirst, Reserve{ReservationId{1}, session("a"), decodes, 0});
    rig.receive(kFirst, Reserve{ReservationId{2}, session("b"), decodes, 0});
    CHECK(rig.sent<SlotGranted>().size() == 1);
    REQUIRE(rig.sent<SlotRefused>().size() == 1);
    CHECK(rig.sent<SlotRefused>()[0].reason == SlotRefusal::cost);
    // It tells neither what scalers read nor how hard encoders work: 20 * 2 + 2 * 20 + 42 * 10.
    const Cost earlier{.decode_pixels = 20, .encode_pixels = 42, .encoder_sessions = 2};
    rig.receive(kFirst, Reserve{ReservationId{3}, session("c"), earlier, 0});
    CHECK(rig.sent<SlotRefused>().size() == 2);
    const Cost less{.decode_pixels = 20, .encode_pixels = 41, .encoder_sessions = 2};
    rig.receive(kFirst, Reserve{ReservationId{4}, session("d"), less, 0});
    CHECK(rig.sent<SlotGranted>().size() == 2);
}

TEST_CASE("an idle transcoder takes a session whatever its cost", "[transcoder][work]") {
    CoreConfig config = a_config(4);
    config.capacity.limits.encode_pixels = 100;
    Rig rig(config);
    rig.join();
    const Cost large{.encode_pixels = 1'000};
    rig.receive(kFirst, Reserve{ReservationId{1}, session("a"), large, 0});
    rig.receive(kFirst, Reserve{ReservationId{2}, session("b"), {.encode_pixels = 1}, 0});
    CHECK(rig.sent<SlotGranted>().size() == 1);
    REQUIRE(rig.sent<SlotRefused>().size() == 1);
    CHECK(rig.sent<SlotRefused>()[0].reason == SlotRefusal::cost);
}

TEST_CASE("what a session really costs comes with its tasks, and never costs it its slot",
          "[transcoder][work]") {
    CoreConfig config = a_config(4);
    config.capacity.limits.decode_pixels = 100;
    Rig rig(config);
    rig.join();
    const Cost guess{.decode_pixels = 20};
    rig.receive(kFirst, Reserve{ReservationId{1}, session("a"), guess, 0});
    Dispatch dispatch = a_dispatch(1, "a");
    dispatch.cost.decode_pixels = 500;
    rig.receive(kFirst, dispatch);
    rig.received(1);
    CHECK(rig.all<StartEngine>().size() == 1);
    rig.receive(kFirst, Reserve{ReservationId{2}, session("b"), guess, 0});
    REQUIRE(rig.sent<SlotRefused>().size() == 1);
    CHECK(rig.sent<SlotRefused>()[0].reason == SlotRefusal::cost);
    rig.receive(kFirst, Reserve{ReservationId{3}, session("a"), {}, 0});  // not told: as it was
    CHECK(rig.sent<SlotGranted>().size() == 2);
    rig.receive(kFirst, Release{session("a")});
    rig.finish(kSlot0, ref(1));
    rig.receive(kFirst, Reserve{ReservationId{4}, session("b"), guess, 0});
    CHECK(rig.sent<SlotGranted>().size() == 3);
}

TEST_CASE("slots are shared by all orchestrators and each hears of the free count at once",
          "[transcoder][work]") {
    Rig rig(a_config(1, 2));
    rig.join(kFirst);
    rig.join(kSecond, Epoch{3});
    (void)rig.take();
    rig.reserve("a", kFirst);
    REQUIRE(rig.sent<Heartbeat>(kSecond).size() == 1);
    CHECK(rig.sent<Heartbeat>(kSecond)[0].slots_free == 0);
    CHECK(rig.sent<Heartbeat>(kSecond)[0].sessions.empty());
    REQUIRE(rig.sent<Heartbeat>(kFirst).size() == 1);
    CHECK(rig.sent<Heartbeat>(kFirst)[0].sessions == std::vector{session("a")});
    rig.reserve("a", kSecond);
    CHECK(rig.sent<SlotRefused>(kSecond).size() == 1);
}

TEST_CASE("a task is received, waits, runs and is sent, and says so", "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    REQUIRE(rig.all<ExpectSource>().size() == 1);
    CHECK(rig.all<ExpectSource>()[0].bytes == 1000);
    REQUIRE(rig.all<StartEngine>().size() == 1);
    CHECK(rig.all<StartEngine>()[0].dispatch == a_dispatch(1, "a"));
    rig.finish(kSlot0, ref(1));
    std::vector<TaskStage> stages;
    for (const TaskProgress& progress : rig.sent<TaskProgress>())
        stages.push_back(progress.stage);
    CHECK(stages == std::vector{TaskStage::receiving, TaskStage::waiting, TaskStage::running,
                                TaskStage::sending});
    CHECK(rig.sent<TaskFinished>().empty());  // its renditions are still on their way
    CHECK(rig.all<TaskEnded>().empty());
    rig.core.renditions_sent(ref(1), rig.now);
    CHECK(rig.sent<TaskFinished>().size() == 1);
    CHECK(rig.all<TaskEnded>() == std::vector{TaskEnded{ref(1), "ok"}});
    CHECK(rig.all<DropTask>() == std::vector{DropTask{ref(1)}});
}

TEST_CASE("the report says how long the source took to arrive and the renditions to leave",
          "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.reserve("a");
    rig.receive(kFirst, a_dispatch(1, "a"));
    rig.pass(250ms);
    rig.received(1);
    rig.finish(kSlot0, ref(1));
    rig.pass(30ms);
    rig.core.renditions_sent(ref(1), rig.now);
    REQUIRE(rig.sent<TaskFinished>().size() == 1);
    CHECK(rig.sent<TaskFinished>()[0].report.times.receive_us == 250'000);
    CHECK(rig.sent<TaskFinished>()[0].report.times.send_us == 30'000);
}

TEST_CASE("a slot runs one task at a time, in dispatch order", "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.reserve("a");
    for (std::uint64_t task : {1, 2, 3})
        rig.receive(kFirst, a_dispatch(task, "a"));
    rig.received(2);
    CHECK(rig.all<StartEngine>().empty());  // 1 is not here yet
    rig.received(1);
    rig.received(3);
    REQUIRE(rig.all<StartEngine>().size() == 1);
    CHECK(rig.all<StartEngine>()[0].task == ref(1));
    rig.finish(kSlot0, ref(1));
    rig.finish(kSlot0, ref(2));
    REQUIRE(rig.all<StartEngine>().size() == 3);
    CHECK(rig.all<StartEngine>()[1].task == ref(2));
    CHECK(rig.all<StartEngine>()[2].task == ref(3));
}

TEST_CASE("a task's threads are the cores divided by the sessions that hold a slot", "[work]") {
    CoreConfig config = a_config(8);
    config.cores = 6;
    Rig rig(config);
    rig.join();
    std::vector<std::uint32_t> threads;
    for (std::uint64_t task = 1; task <= 8; ++task) {
        rig.dispatch(task, "session " + std::to_string(task));
        threads.push_back(rig.all<StartEngine>().back().threads);
    }
    CHECK(threads == std::vector<std::uint32_t>{6, 3, 2, 1, 1, 1, 1, 1});
}

TEST_CASE("a dispatch without a slot is refused as overloaded and not started",
          "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.receive(kFirst, a_dispatch(1, "a"));
    REQUIRE(rig.sent<TaskFailed>().size() == 1);
    CHECK(rig.sent<TaskFailed>()[0].kind == ErrorKind::overloaded);
    CHECK_FALSE(rig.sent<TaskFailed>()[0].started);
    CHECK(rig.all<TaskEnded>() == std::vector{TaskEnded{ref(1), "refused"}});
    CHECK(rig.all<DropTask>() == std::vector{DropTask{ref(1)}});  // its source may be on its way
}

TEST_CASE("a slot's queue is bounded", "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.reserve("a");
    for (std::uint64_t task = 1; task <= 5; ++task)
        rig.receive(kFirst, a_dispatch(task, "a"));
    REQUIRE(rig.sent<TaskFailed>().size() == 1);
    CHECK(rig.sent<TaskFailed>()[0].task == TaskId{5});
    CHECK(rig.sent<TaskFailed>()[0].kind == ErrorKind::overloaded);
}

TEST_CASE("a task kind of later versions is refused as unsupported", "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.reserve("a");
    Dispatch dispatch = a_dispatch(1, "a");
    dispatch.kind = TaskKind::thumbnail;
    rig.receive(kFirst, dispatch);
    REQUIRE(rig.sent<TaskFailed>().size() == 1);
    CHECK(rig.sent<TaskFailed>()[0].kind == ErrorKind::unsupported);
}

TEST_CASE("the same attempt dispatched twice is done once, also after it ended",
          "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    rig.receive(kFirst, a_dispatch(1, "a"));
    rig.finish(kSlot0, ref(1));
    rig.core.renditions_sent(ref(1), rig.now);
    rig.receive(kFirst, a_dispatch(1, "a"));
    CHECK(rig.all<ExpectSource>().size() == 1);
    CHECK(rig.sent<TaskFailed>().empty());
    rig.receive(kFirst, a_dispatch(1, "a", 2));
    CHECK(rig.all<ExpectSource>().size() == 2);
}

TEST_CASE("cancelling what waits drops it, cancelling what runs stops its engine",
          "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    rig.dispatch(2, "a");
    rig.receive(kFirst, Cancel{TaskId{2}, AttemptNo{1}, CancelReason::superseded});
    CHECK(rig.all<StopEngine>().empty());
    CHECK(rig.all<DropTask>() == std::vector{DropTask{ref(2)}});
    rig.receive(kFirst, Cancel{TaskId{1}, AttemptNo{1}, CancelReason::superseded});
    CHECK(rig.all<StopEngine>() == std::vector{StopEngine{kSlot0, ref(1)}});
    CHECK(rig.sent<TaskFailed>().empty());
    CHECK(rig.core.status().tasks_active == 0);
}

TEST_CASE("a cancel of another attempt changes nothing", "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    rig.receive(kFirst, Cancel{TaskId{1}, AttemptNo{2}, CancelReason::superseded});
    CHECK(rig.core.status().tasks_active == 1);
}

TEST_CASE("after a stop the next task waits until the engine is ready", "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    rig.dispatch(2, "a");
    rig.receive(kFirst, Cancel{TaskId{1}, AttemptNo{1}, CancelReason::superseded});
    CHECK(rig.all<StartEngine>().size() == 1);
    rig.core.engine_finished(kSlot0, ref(1), {}, {}, rig.now);  // too late: it was on its way
    CHECK(rig.all<StartEngine>().size() == 1);
    rig.core.engine_ready(kSlot0, rig.now);
    REQUIRE(rig.all<StartEngine>().size() == 2);
    CHECK(rig.all<StartEngine>()[1].task == ref(2));
}

TEST_CASE("a released slot is freed when its running task is done", "[transcoder][work]") {
    Rig rig(a_config(1));
    rig.join();
    rig.dispatch(1, "a");
    rig.receive(kFirst, Release{session("a")});
    rig.reserve("b");
    CHECK(rig.sent<SlotRefused>().size() == 1);
    rig.finish(kSlot0, ref(1));
    rig.reserve("b");
    CHECK(rig.sent<SlotGranted>().size() == 2);
}

TEST_CASE(
    "an engine that is silent for 1.4 s is stopped, its attempt timed out and its segment suspect",
    "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    rig.pass(1s);
    rig.core.engine_progress(kSlot0, ref(1), 100ms, 2s, 3, rig.now);
    rig.pass(1300ms);
    CHECK(rig.all<StopEngine>().empty());
    rig.pass(101ms);
    CHECK(rig.all<StopEngine>() == std::vector{StopEngine{kSlot0, ref(1)}});
    REQUIRE(rig.sent<TaskFailed>().size() == 1);
    CHECK(rig.sent<TaskFailed>()[0].kind == ErrorKind::timeout);
    CHECK(rig.sent<TaskFailed>()[0].started);
    CHECK(rig.sent<TaskFailed>()[0].engine_crashed);
}

TEST_CASE("silence of an engine that never took the task up is not the segment's fault",
          "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    rig.pass(1401ms);
    REQUIRE(rig.sent<TaskFailed>().size() == 1);
    CHECK(rig.sent<TaskFailed>()[0].kind == ErrorKind::timeout);
    CHECK_FALSE(rig.sent<TaskFailed>()[0].engine_crashed);
}

TEST_CASE("silence while the machine stood still is not the segment's fault",
          "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    rig.core.engine_progress(kSlot0, ref(1), 100ms, 2s, 3, rig.now);
    rig.core.advance_to(rig.now + 2s);
    REQUIRE(rig.sent<TaskFailed>().size() == 1);
    CHECK(rig.sent<TaskFailed>()[0].kind == ErrorKind::timeout);
    CHECK_FALSE(rig.sent<TaskFailed>()[0].engine_crashed);
}

TEST_CASE("a task past its deadline is stopped wherever it stands", "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    rig.dispatch(2, "a");
    for (int i = 0; i < 59; ++i) {
        rig.pass(100ms);
        rig.core.engine_progress(kSlot0, ref(1), 1s, 2s, i, rig.now);
    }
    CHECK(rig.sent<TaskFailed>().empty());
    rig.pass(100ms);
    REQUIRE(rig.sent<TaskFailed>().size() == 2);
    CHECK(rig.sent<TaskFailed>()[0].started);
    CHECK_FALSE(rig.sent<TaskFailed>()[1].started);
    CHECK(rig.all<StopEngine>().size() == 1);
    CHECK(rig.all<DropTask>().size() == 2);
}

TEST_CASE("a segment that turns out to be longer has longer", "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");  // taken for 2 s: 6 s left
    rig.core.engine_progress(kSlot0, ref(1), 100ms, 4s, 3, rig.now);
    for (int i = 0; i < 110; ++i) {
        rig.pass(100ms);
        rig.core.engine_progress(kSlot0, ref(1), 1s, 4s, i, rig.now);
    }
    CHECK(rig.sent<TaskFailed>().empty());
    rig.pass(1s);
    CHECK(rig.sent<TaskFailed>().size() == 1);
}

TEST_CASE("running and waiting tasks report progress every half second", "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    rig.dispatch(2, "a");
    (void)rig.take();
    rig.pass(500ms);
    const auto told = rig.sent<TaskProgress>();
    REQUIRE(told.size() == 2);
    CHECK(told[0].stage == TaskStage::running);
    CHECK(told[1].stage == TaskStage::waiting);
}

TEST_CASE("the measured duration is told at once", "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    (void)rig.take();
    rig.core.engine_progress(kSlot0, ref(1), 40ms, 2s, 1, rig.now);
    REQUIRE(rig.sent<TaskProgress>().size() == 1);
    CHECK(rig.sent<TaskProgress>()[0].media_total_us == 2'000'000);
    rig.core.engine_progress(kSlot0, ref(1), 80ms, 2s, 2, rig.now);
    CHECK(rig.sent<TaskProgress>().size() == 1);
}

TEST_CASE("a failure of the engine is told with its kind", "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    rig.dispatch(2, "a");
    rig.core.engine_failed(kSlot0, ref(1), error(ErrorKind::bad_input, "no video"), false, rig.now);
    REQUIRE(rig.sent<TaskFailed>().size() == 1);
    CHECK(rig.sent<TaskFailed>()[0].kind == ErrorKind::bad_input);
    CHECK(rig.sent<TaskFailed>()[0].message == "no video");
    CHECK(rig.all<StopEngine>().empty());
    CHECK(rig.all<StartEngine>().size() == 2);  // the engine is fit for the next
    CHECK(rig.all<TaskEnded>()[0].outcome == "bad_input");
}

TEST_CASE("a crash costs its task one attempt and the next waits for the new engine",
          "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    rig.dispatch(2, "a");
    rig.core.engine_progress(kSlot0, ref(1), 0ms, 0ms, 0, rig.now);
    rig.core.engine_failed(kSlot0, ref(1), error(ErrorKind::internal, "signal 11"), true, rig.now);
    REQUIRE(rig.sent<TaskFailed>().size() == 1);
    CHECK(rig.sent<TaskFailed>()[0].engine_crashed);
    CHECK(rig.all<StartEngine>().size() == 1);
    rig.core.engine_ready(kSlot0, rig.now);
    CHECK(rig.all<StartEngine>().size() == 2);
}

TEST_CASE("an engine that dies before it took the task up makes nobody suspect",
          "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    rig.dispatch(2, "a");
    rig.core.engine_failed(kSlot0, ref(1), error(ErrorKind::internal, "no walls"), true, rig.now);
    REQUIRE(rig.sent<TaskFailed>().size() == 1);
    CHECK_FALSE(rig.sent<TaskFailed>()[0].engine_crashed);
    CHECK(rig.all<StartEngine>().size() == 1);  // the next waits for the new engine all the same
}

TEST_CASE("an engine that dies without a task delays the next task, nothing else",
          "[transcoder][work]") {
    Rig rig(a_config(1));
    rig.join();
    rig.core.engine_lost(kSlot0, rig.now);
    rig.dispatch(1, "a");
    CHECK(rig.all<StartEngine>().empty());
    rig.core.engine_ready(kSlot0, rig.now);
    CHECK(rig.all<StartEngine>().size() == 1);
}

TEST_CASE("a source that breaks ends the attempt before it started", "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.reserve("a");
    rig.receive(kFirst, a_dispatch(1, "a"));
    rig.core.source_failed(ref(1), error(ErrorKind::disconnected, "hash"), rig.now);
    REQUIRE(rig.sent<TaskFailed>().size() == 1);
    CHECK(rig.sent<TaskFailed>()[0].kind == ErrorKind::disconnected);
    CHECK_FALSE(rig.sent<TaskFailed>()[0].started);
    rig.received(1);
    CHECK(rig.all<StartEngine>().empty());
}

TEST_CASE("an engine begins with the first bytes, and its silence counts from the last on",
          "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.reserve("a");
    Dispatch arriving = a_dispatch(1, "a");
    arriving.bytes = 0;
    arriving.duration_ms = 0;
    arriving.time_left_ms = 600'000;
    rig.receive(kFirst, arriving);
    CHECK(rig.all<StartEngine>().empty());
    rig.core.source_arrived(ref(1), rig.now);
    rig.core.source_arrived(ref(1), rig.now);
    CHECK(rig.all<StartEngine>().size() == 1);
    rig.pass(50s);  // longer than a whole segment may take
    CHECK(rig.sent<TaskFailed>().empty());
    rig.received(1);
    SECTION("silent from the end on") {
        rig.pass(1300ms);
        CHECK(rig.all<StopEngine>().empty());
        rig.pass(200ms);
        REQUIRE(rig.sent<TaskFailed>().size() == 1);
        CHECK(rig.sent<TaskFailed>()[0].kind == ErrorKind::timeout);
        CHECK(rig.all<StopEngine>().size() == 1);
    }
    SECTION("at work past the deadline that began with the end") {
        for (int i = 1; i <= 12; ++i) {
            rig.pass(1s);
            rig.core.engine_progress(kSlot0, ref(1), i * 40ms, 0ms, i, rig.now);
        }
        REQUIRE(rig.sent<TaskFailed>().size() == 1);
        CHECK(rig.sent<TaskFailed>()[0].kind == ErrorKind::timeout);
    }
    SECTION("done in time") {
        rig.finish(kSlot0, ref(1));
        rig.core.renditions_sent(ref(1), rig.now);
        CHECK(rig.sent<TaskFinished>().size() == 1);
    }
}

TEST_CASE("a source that breaks under an engine stops it", "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.reserve("a");
    rig.receive(kFirst, a_dispatch(1, "a"));
    rig.core.source_arrived(ref(1), rig.now);
    SECTION("broken") {
        rig.core.source_failed(ref(1), error(ErrorKind::disconnected, "hash"), rig.now);
        REQUIRE(rig.sent<TaskFailed>().size() == 1);
        CHECK(rig.sent<TaskFailed>()[0].kind == ErrorKind::disconnected);
        CHECK(rig.sent<TaskFailed>()[0].started);
    }
    SECTION("given up") {
        rig.receive(kFirst, Cancel{TaskId{1}, AttemptNo{1}, CancelReason::superseded});
        CHECK(rig.sent<TaskFailed>().empty());
    }
    SECTION("cut off") {
        rig.event(LaneEvent::lost);
    }
    SECTION("done before its end was here: not with these bytes") {
        rig.core.engine_finished(kSlot0, ref(1), {}, {}, rig.now);
        REQUIRE(rig.sent<TaskFailed>().size() == 1);
        CHECK(rig.sent<TaskFailed>()[0].kind == ErrorKind::internal);
        CHECK(rig.sent<TaskFinished>().empty());
    }
    CHECK(rig.all<StopEngine>().size() == 1);
    CHECK(rig.all<DropTask>().size() == 1);
}

TEST_CASE("events about unknown tasks and slots change nothing", "[transcoder][work]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    (void)rig.take();
    rig.core.engine_finished(SlotNo{17}, ref(1), {}, {}, rig.now);
    rig.core.engine_finished(kSlot0, ref(2), {}, {}, rig.now);
    rig.core.engine_failed(kSlot1, ref(1), error(ErrorKind::internal, ""), true, rig.now);
    rig.core.engine_ready(SlotNo{17}, rig.now);
    rig.core.engine_lost(SlotNo{17}, rig.now);
    rig.core.renditions_sent(ref(1), rig.now);
    rig.core.source_failed(ref(1), error(ErrorKind::internal, ""), rig.now);
    CHECK(rig.take().empty());
}

TEST_CASE("a changed number of slots is announced at once and cuts nothing", "[transcoder][work]") {
    Rig rig(a_config(2));
    rig.join();
    rig.dispatch(1, "a");
    rig.dispatch(2, "b");
    (void)rig.take();
    rig.core.set_slots(1, rig.now);
    REQUIRE(rig.sent<Heartbeat>().size() == 1);
    CHECK(rig.sent<Heartbeat>()[0].slots == 1);
    CHECK(rig.core.status().tasks_active == 2);
    rig.core.set_slots(3, rig.now);
    rig.reserve("c");
    CHECK(rig.sent<SlotGranted>().size() == 1);
}

}  // namespace millrace::transcoder
