#include <algorithm>

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "transcoder/gpu/gpu_json.h"
#include "transcoder/gpu/gpu_stock.h"

namespace millrace::gpu {
namespace {

using Catch::Contains;
using media::GpuStageKind;

Trial good() {
    return {{{GpuStageKind::context, "cuda", true, ""},
             {GpuStageKind::transfer, "nv12", true, ""},
             {GpuStageKind::decode, "h264", true, ""},
             {GpuStageKind::encode, "h264_nvenc", false, "no unit"}},
            ""};
}

GpuRecord usable(std::uint32_t index) {
    return record_of({index, "GPU-a", "H100", {}}, good());
}
GpuRecord broken(std::uint32_t index) {
    return record_of({index, "GPU-b", "T4", {}}, {{}, "the trial hung"});
}

}  // namespace

TEST_CASE("one usable GPU is enough; the others stay in the list with their reason",
          "[gpu][stock]") {
    const auto stock = checked({broken(0), usable(1)});
    REQUIRE(stock);
    CHECK(to_string((*stock)[0].state) == "unusable");
    CHECK((*stock)[0].reason == "the trial hung");
    CHECK(to_string((*stock)[1].state) == "ready");
}

TEST_CASE("without a usable one the error names every GPU and its reason", "[gpu][stock]") {
    const auto none = checked({broken(0), broken(3)});
    REQUIRE_FALSE(none);
    CHECK(none.error().kind == ErrorKind::device);
    CHECK(none.error().message ==
          "no GPU can be used: GPU 0 (T4): the trial hung; GPU 3 (T4): the trial hung");
}

TEST_CASE("without a driver the error says so", "[gpu][stock]") {
    // No test machine has NVIDIA's library where the linker looks, unless it has a GPU.
    const auto stock = take_stock({true, {}});
    if (!stock && stock.error().message.find("not installed") != std::string::npos)
        CHECK_THAT(stock.error().message, Contains("libnvidia-ml.so.1"));
}

TEST_CASE("a record as JSON tells each stage", "[gpu][stock]") {
    const nlohmann::json json = to_json(usable(1));
    CHECK(json["state"] == "ready");
    CHECK(json["reason"].is_null());
    CHECK(json["sessions_max"].is_null());
    CHECK(json["stages"].size() == 4);
    CHECK(json["stages"][2]["works"] == true);
    CHECK(json["stages"][3]["reason"] == "no unit");
    CHECK(to_json(broken(0))["reason"] == "the trial hung");
}

TEST_CASE("a task may leave to its GPU what the trial found to work, with the reasons of the rest",
          "[gpu][stock]") {
    EngineTask task;
    task.gpu = {{GpuAbilityKind::decode, "left over", true, ""}};
    GpuRecord record = usable(1);
    record.trial.stages.push_back({GpuStageKind::decode, "av1", false, "no decoder"});
    allow(task, record);
    const GpuAbility h264{GpuAbilityKind::decode, "h264", true, ""};
    const GpuAbility av1{GpuAbilityKind::decode, "av1", false, "no decoder"};
    CHECK(std::ranges::count(task.gpu, h264) == 1);
    CHECK(std::ranges::count(task.gpu, av1) == 1);
    CHECK(std::ranges::none_of(task.gpu, [](const auto& one) { return one.name == "left over"; }));
    CHECK(std::ranges::none_of(task.gpu, [](const auto& one) { return one.name == "cuda"; }));
}

TEST_CASE("a measurement holds for a GPU, its limit and what works there", "[gpu][stock]") {
    GpuRecord record = usable(1);
    CHECK(fingerprint(record) == "GPU-a context cuda, transfer nv12, decode h264");
    record.gpu.sessions_max = 18;
    record.trial.stages[2].works = false;
    CHECK(fingerprint(record) == "GPU-a:18 context cuda, transfer nv12");
    CHECK(ready_of({broken(0), record, broken(2)}).size() == 1);
    record.trial.stages.push_back({GpuStageKind::encoder_sessions, "h264_nvenc", true, "", 5});
    CHECK(fingerprint(record) == "GPU-a:18 context cuda, transfer nv12");
}

TEST_CASE("encoders bind where every card that is used was seen to refuse one", "[gpu][stock]") {
    const auto with = [](std::optional<std::uint32_t> count) {
        GpuRecord record = usable(1);
        record.trial.stages.push_back(
            {GpuStageKind::encoder_sessions, "h264_nvenc", true, "", count});
        return record;
    };
    CHECK(encoder_sessions_max({with(8), with(3), broken(0)}) == 11U);
    CHECK_FALSE(encoder_sessions_max({with(8), with({})}));
    CHECK_FALSE(encoder_sessions_max({with(8), usable(0)}));  // whose sessions the CPU encodes
    CHECK_FALSE(encoder_sessions_max({broken(0)}));
    GpuRecord left_out = with(8);
    left_out.trial = restricted(left_out.trial, {.encode = false});
    CHECK_FALSE(encoder_sessions_max({left_out}));
    CHECK(to_json(with(8))["stages"][4]["count"] == 8);
    CHECK(to_json(with({}))["stages"][4]["count"].is_null());
}

TEST_CASE("limits bind together, unless one that is ready has none", "[gpu][stock]") {
    GpuRecord two = usable(0);
    two.gpu.sessions_max = 2;
    GpuRecord five = usable(1);
    five.gpu.sessions_max = 5;
    CHECK(sessions_max({two, five}) == 7U);
    CHECK(sessions_max({two, broken(3)}) == 2U);
    CHECK_FALSE(sessions_max({two, usable(1)}));
}

TEST_CASE("of a GPU in use its record tells how", "[gpu][stock]") {
    GpuRecord record = usable(1);
    CHECK_FALSE(to_json(record).contains("sessions"));
    record.use = {3, 1};
    record.state = GpuState::quarantined;
    CHECK(to_json(record)["sessions"] == 3);
    CHECK(to_json(record)["failures"] == 1);
    CHECK(to_json(record)["state"] == "quarantined");
}

TEST_CASE(
    "orchestrators hear of the GPUs that sessions use, and what a card does not tell is not made "
    "up",
    "[gpu][stock]") {
    GpuRecord ready = usable(0);
    ready.use = {3, 1};
    GpuRecord away = usable(1);
    away.gpu.uuid = "GPU-away";
    away.state = GpuState::quarantined;
    away.reason = "3 failures within 60 s";
    Reading reading;
    reading.uuid = ready.gpu.uuid;
    reading.decoder = 0.25;
    reading.celsius = 61.6;
    const auto told = readings_for_orchestrators({ready, broken(2), away}, {reading});
    REQUIRE(told.size() == 2);
    CHECK(told[0].sessions == 3);
    CHECK(told[0].failures == 1);
    CHECK(told[0].decoder_permille == 250);
    CHECK(told[0].sm_permille == GpuReading::kNotTold);
    CHECK(told[0].celsius == 62);
    CHECK(told[0].quarantine.empty());
    CHECK(told[1].index == 1);
    CHECK(told[1].quarantine == "3 failures within 60 s");
    CHECK(told[1].celsius == GpuReading::kNotTold);
}

}  // namespace millrace::gpu
