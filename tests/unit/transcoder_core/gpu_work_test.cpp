// Sessions on GPUs: who gets which, and what becomes of a task whose GPU fails.

#include <set>

#include "tests/unit/transcoder_core/rig.h"

namespace millrace::transcoder {
namespace {

constexpr GpuNo kGpu0{0};
constexpr GpuNo kGpu1{1};

CoreConfig with_gpus(std::vector<GpuEntry> gpus, std::uint32_t slots) {
    CoreConfig config = a_config(slots);
    config.gpus = std::move(gpus);
    return config;
}

// All engines up, joined.
struct GpuRig : Rig {
    explicit GpuRig(std::vector<GpuEntry> gpus, std::uint32_t slots = 2)
        : Rig(with_gpus(std::move(gpus), slots)), slots_(slots) {
        join();
        engines_up();
    }
    void engines_up() {
        for (std::uint32_t slot = 0; slot < slots_; ++slot)
            core.engine_ready(SlotNo{slot}, now);
    }
    void fail(SlotNo slot, TaskRef task, ErrorKind kind = ErrorKind::device) {
        core.engine_failed(slot, task, error(kind, "launch failed"), true, now);
    }
    SlotNo free_slot_on(GpuNo gpu) const {
        const std::vector<Place> places = core.places();
        for (std::uint32_t slot = 0; slot < slots_; ++slot)
            if (places[slot] == Place(gpu) && !held_.contains(slot))
                return SlotNo{slot};
        FAIL("no free slot there");
        return {};
    }
    void dispatch(std::uint64_t task, const std::string& name) {
        Rig::dispatch(task, name);
        for (const StartEngine& start : all<StartEngine>())
            held_.insert(start.slot.value);
    }
    StartEngine last_start() {
        const auto starts = all<StartEngine>();
        REQUIRE_FALSE(starts.empty());
        return starts.back();
    }
    // A task of this session on a GPU that fails, made by the CPU after all.
    void failing_task(std::uint64_t task, const std::string& name) {
        dispatch(task, name);
        REQUIRE(last_start().task == ref(task));
        const SlotNo slot = last_start().slot;
        fail(slot, ref(task));
        engines_up();
        REQUIRE(last_start().again);
        finish(slot, ref(task));
        engines_up();
    }

private:
    std::uint32_t slots_;
    std::set<std::uint32_t> held_;
};

}  // namespace

TEST_CASE("a task begins when the engine has opened its GPU", "[transcoder][gpu]") {
    Rig rig(with_gpus({{}}, 1));
    rig.join();
    rig.dispatch(1, "a");
    CHECK(rig.all<StartEngine>().empty());
    rig.pass(1400ms);
    CHECK(rig.sent<TaskFailed>().empty());
    rig.core.engine_ready(kSlot0, rig.now);
    REQUIRE(rig.all<StartEngine>().size() == 1);
    CHECK(rig.all<StartEngine>()[0].gpu == Place(kGpu0));
    CHECK_FALSE(rig.all<StartEngine>()[0].again);
}

TEST_CASE("sessions go to the GPU with most headroom", "[transcoder][gpu]") {
    GpuRig rig({{1}, {3}}, 4);
    std::vector<Place> got;
    for (std::uint64_t task = 1; task <= 4; ++task) {
        rig.dispatch(task, "s" + std::to_string(task));
        got.push_back(rig.last_start().gpu);
    }
    CHECK(got == std::vector<Place>{kGpu1, kGpu1, kGpu0, kGpu1});
    CHECK(rig.core.status().gpus[0].sessions == 1);
    CHECK(rig.core.status().gpus[1].sessions == 3);
}

TEST_CASE("it is sessions that count, whichever slots they left", "[transcoder][gpu]") {
    GpuRig rig({{2}, {2}}, 4);
    for (std::uint64_t task = 1; task <= 4; ++task) {
        rig.dispatch(task, "s" + std::to_string(task));
        rig.finish(rig.last_start().slot, ref(task));
    }
    for (const char* over : {"s1", "s2", "s4"})
        rig.receive(kFirst, Release{session(over)});
    rig.dispatch(5, "s5");  // s3 is on GPU 0, whose other slot is the first that is free
    CHECK(rig.last_start().gpu == Place(kGpu1));
}

TEST_CASE("limits of GPUs bind below the slots that were asked for", "[transcoder][gpu]") {
    GpuRig rig({{1}, {1}}, 5);
    CHECK(rig.core.status().slots == 2);
    for (const char* name : {"a", "b", "c"})
        rig.reserve(name);
    CHECK(rig.sent<SlotGranted>().size() == 2);
    REQUIRE(rig.sent<SlotRefused>().size() == 1);
    CHECK(rig.sent<SlotRefused>()[0].reason == SlotRefusal::no_free_slot);
}

TEST_CASE("a task whose GPU fails is begun again by the CPU, and nobody hears of it",
          "[transcoder][gpu]") {
    GpuRig rig({{}}, 1);
    rig.dispatch(1, "a");
    rig.core.engine_progress(kSlot0, ref(1), 1s, 2s, 25, rig.now);
    rig.fail(kSlot0, ref(1));
    CHECK(rig.all<GpuFailed>() == std::vector{GpuFailed{kGpu0, "launch failed", false}});
    CHECK(rig.all<SeatEngine>() == std::vector{SeatEngine{kSlot0, {}}});
    CHECK(rig.all<StartEngine>().size() == 1);
    rig.core.engine_ready(kSlot0, rig.now);
    CHECK(rig.last_start().again);
    CHECK_FALSE(rig.last_start().gpu);
    rig.finish(kSlot0, ref(1));
    rig.core.renditions_sent(ref(1), rig.now);
    CHECK(rig.sent<TaskFinished>().size() == 1);
    CHECK(rig.sent<TaskFailed>().empty());
    // Back to the GPU for the next one.
    CHECK(rig.all<SeatEngine>().back() == SeatEngine{kSlot0, kGpu0});
    rig.dispatch(2, "a");
    rig.core.engine_ready(kSlot0, rig.now);
    CHECK(rig.last_start().gpu == Place(kGpu0));
}

TEST_CASE("what a segment took of the CPU is told where there are no GPUs", "[transcoder][gpu]") {
    const auto told = [](Rig& rig) {
        TranscodeReport report;
        report.cpu_us = 700'000;
        rig.core.engine_finished(kSlot0, ref(1), report, {}, rig.now);
        rig.core.renditions_sent(ref(1), rig.now);
        REQUIRE(rig.sent<TaskFinished>().size() == 1);
        return rig.sent<TaskFinished>()[0].report.cpu_us;
    };
    Rig without(a_config(1));
    without.join();
    without.dispatch(1, "a");
    CHECK(told(without) == 700'000);

    GpuRig with({{}}, 1);
    with.dispatch(1, "a");
    CHECK(told(with) == 0);

    GpuRig failing({{}}, 1);  // made by the CPU after all, at prices that are not of it
    failing.dispatch(1, "a");
    failing.fail(kSlot0, ref(1));
    failing.engines_up();
    CHECK(told(failing) == 0);
}

TEST_CASE("the orchestrator sees a task that goes on, not one that stands still",
          "[transcoder][gpu]") {
    GpuRig rig({{}}, 1);
    rig.dispatch(1, "a");
    rig.core.engine_progress(kSlot0, ref(1), 1s, 2s, 25, rig.now);
    (void)rig.take();
    rig.fail(kSlot0, ref(1));
    rig.core.engine_ready(kSlot0, rig.now);
    const auto told = rig.sent<TaskProgress>();
    REQUIRE(told.size() == 2);
    CHECK(told[0].stage == TaskStage::waiting);
    CHECK(told[1].stage == TaskStage::running);
    CHECK(told[1].frames == 0);
}

TEST_CASE("a session moves to another GPU when its own fails it", "[transcoder][gpu]") {
    GpuRig rig({{2}, {2}}, 4);
    rig.failing_task(1, "a");  // GPU 0
    rig.dispatch(2, "a");
    CHECK(rig.last_start().gpu == Place(kGpu1));
    CHECK(rig.core.status().gpus[0].failures == 1);
    CHECK(rig.core.status().slots == 4);
}

TEST_CASE("three failures in a minute: quarantine, its capacity withdrawn, its sessions elsewhere",
          "[transcoder][gpu]") {
    GpuRig rig({{2}, {2}}, 4);
    rig.dispatch(1, "a");
    rig.dispatch(2, "b");
    rig.dispatch(3, "c");
    const std::vector<StartEngine> starts = rig.all<StartEngine>();
    REQUIRE(starts[0].gpu == Place(kGpu0));
    REQUIRE(starts[1].gpu == Place(kGpu1));
    REQUIRE(starts[2].gpu == Place(kGpu0));
    // All of GPU 0 fails at once, as when it falls off the bus: also an engine without a session.
    rig.fail(starts[0].slot, ref(1));
    rig.fail(starts[2].slot, ref(3));
    CHECK(rig.core.status().gpus[0].quarantine.empty());
    rig.core.engine_without_gpu(rig.free_slot_on(kGpu0), "cannot open its GPU", rig.now);
    CHECK_FALSE(rig.core.status().gpus[0].quarantine.empty());
    CHECK(rig.core.status().slots == 2);
    rig.engines_up();
    CHECK(rig.sent<TaskFailed>().empty());
    rig.finish(starts[0].slot, ref(1));
    rig.finish(starts[2].slot, ref(3));
    rig.engines_up();
    // There was one place left on GPU 1.
    rig.dispatch(4, "a");
    CHECK(rig.last_start().gpu == Place(kGpu1));
    rig.dispatch(5, "c");
    CHECK(rig.last_start().gpu == Place());
    // It is there again when a session ends.
    rig.finish(starts[1].slot, ref(2));
    rig.finish(starts[2].slot, ref(5));
    rig.receive(kFirst, Release{session("b")});
    rig.engines_up();
    rig.dispatch(6, "c");
    CHECK(rig.last_start().gpu == Place(kGpu1));
}

TEST_CASE("with the only GPU in quarantine sessions go on by the CPU, and no new one is taken",
          "[transcoder][gpu]") {
    GpuRig rig({{}}, 2);
    for (std::uint64_t task = 1; task <= 3; ++task)
        rig.failing_task(task, "a");
    CHECK(rig.all<GpuFailed>().back().quarantined);
    CHECK(rig.core.status().gpus[0].quarantine ==
          "3 failures within 60 s; the last: launch failed");
    CHECK(rig.core.status().slots == 0);
    rig.dispatch(4, "a");
    CHECK_FALSE(rig.last_start().gpu);
    CHECK_FALSE(rig.last_start().again);
    rig.finish(rig.last_start().slot, ref(4));
    rig.reserve("b");
    REQUIRE_FALSE(rig.sent<SlotRefused>().empty());
    CHECK(rig.sent<SlotRefused>().back().reason == SlotRefusal::device);
    CHECK(rig.sent<TaskFailed>().empty());
    CHECK(rig.sent<Heartbeat>().back().slots_free == 0);
    CHECK(rig.sent<Heartbeat>().back().slots == 0);
}

TEST_CASE("failures further apart than a minute are no quarantine", "[transcoder][gpu]") {
    GpuRig rig({{}}, 1);
    for (std::uint64_t task = 1; task <= 4; ++task) {
        rig.failing_task(task, "a");
        rig.pass(31s);
    }
    CHECK(rig.core.status().gpus[0].failures == 4);
    CHECK(rig.core.status().gpus[0].quarantine.empty());
}

TEST_CASE(
    "an engine that crashes with a GPU over a segment that the CPU makes was the GPU's failure",
    "[transcoder][gpu]") {
    GpuRig rig({{}}, 1);
    rig.dispatch(1, "a");
    rig.core.engine_progress(kSlot0, ref(1), 0s, 0s, 0, rig.now);
    rig.fail(kSlot0, ref(1), ErrorKind::internal);
    CHECK(rig.all<GpuFailed>().empty());
    rig.engines_up();
    REQUIRE(rig.last_start().again);
    rig.finish(kSlot0, ref(1));
    CHECK(rig.all<GpuFailed>().size() == 1);
    CHECK(rig.sent<TaskFailed>().empty());
}

TEST_CASE("a segment that crashes the CPU's engine, too, is the suspect, and no GPU is blamed",
          "[transcoder][gpu]") {
    GpuRig rig({{}}, 1);
    rig.dispatch(1, "a");
    for (int engine = 0; engine < 2; ++engine) {
        rig.core.engine_progress(kSlot0, ref(1), 0s, 0s, 0, rig.now);
        rig.fail(kSlot0, ref(1), ErrorKind::internal);
        rig.engines_up();
    }
    REQUIRE(rig.sent<TaskFailed>().size() == 1);
    CHECK(rig.sent<TaskFailed>()[0].engine_crashed);
    CHECK(rig.all<GpuFailed>().empty());
    CHECK(rig.core.status().gpus[0].failures == 0);
}

TEST_CASE("an engine that hangs with a GPU is stopped, and the CPU gets its segment",
          "[transcoder][gpu]") {
    GpuRig rig({{}}, 1);
    rig.dispatch(1, "a");
    rig.core.engine_progress(kSlot0, ref(1), 1s, 2s, 25, rig.now);
    rig.pass(1400ms);
    CHECK(rig.all<StopEngine>() == std::vector{StopEngine{kSlot0, ref(1)}});
    CHECK(rig.sent<TaskFailed>().empty());
    rig.engines_up();
    CHECK(rig.last_start().again);
    rig.pass(1400ms);  // the CPU's hangs as well
    REQUIRE(rig.sent<TaskFailed>().size() == 1);
    CHECK(rig.sent<TaskFailed>()[0].kind == ErrorKind::timeout);
}

TEST_CASE("a task that has handed out a rendition is not begun again: the answer is typed",
          "[transcoder][gpu]") {
    GpuRig rig({{}}, 1);
    rig.dispatch(1, "a");
    rig.core.engine_progress(kSlot0, ref(1), 0s, 0s, 0, rig.now);
    rig.core.engine_rendition(kSlot0, ref(1), rig.now);
    rig.fail(kSlot0, ref(1));
    REQUIRE(rig.sent<TaskFailed>().size() == 1);
    CHECK(rig.sent<TaskFailed>()[0].kind == ErrorKind::device);
    CHECK_FALSE(rig.sent<TaskFailed>()[0].engine_crashed);
    CHECK(rig.core.status().gpus[0].failures == 1);
}

TEST_CASE("an engine that cannot open its GPU tries elsewhere, and at last without",
          "[transcoder][gpu]") {
    GpuRig rig({{1}, {1}}, 1);
    rig.dispatch(1, "a");
    CHECK(rig.last_start().gpu == Place(kGpu0));
    rig.finish(kSlot0, ref(1));
    rig.core.engine_without_gpu(kSlot0, "cannot open its GPU", rig.now);
    CHECK(rig.all<SeatEngine>().back() == SeatEngine{kSlot0, kGpu1});
    // Between two that fail it goes to and fro until both are in quarantine.
    for (int i = 0; i < 5; ++i)
        rig.core.engine_without_gpu(kSlot0, "cannot open its GPU", rig.now);
    CHECK(rig.all<SeatEngine>().back() == SeatEngine{kSlot0, {}});
    CHECK_FALSE(rig.core.status().gpus[0].quarantine.empty());
    CHECK_FALSE(rig.core.status().gpus[1].quarantine.empty());
    rig.engines_up();
    rig.dispatch(2, "a");
    CHECK_FALSE(rig.last_start().gpu);
}

TEST_CASE("an engine is moved between two tasks, not in the middle of one", "[transcoder][gpu]") {
    GpuRig rig({{2}, {2}}, 4);
    rig.dispatch(1, "a");
    const SlotNo busy = rig.last_start().slot;
    REQUIRE(rig.last_start().gpu == Place(kGpu0));
    for (int i = 0; i < 3; ++i) {
        rig.core.engine_without_gpu(rig.free_slot_on(kGpu0), "cannot open its GPU", rig.now);
        rig.engines_up();
    }
    REQUIRE_FALSE(rig.core.status().gpus[0].quarantine.empty());
    for (const SeatEngine& seat : rig.all<SeatEngine>())
        CHECK(seat.slot != busy);
    rig.finish(busy, ref(1));
    CHECK(rig.all<SeatEngine>().back() == SeatEngine{busy, kGpu1});
}

}  // namespace millrace::transcoder
