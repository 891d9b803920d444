// What readings of GPUs come to, and what is named as the bound.

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "transcoder/bench/bound.h"
#include "transcoder/bench/report.h"

using namespace millrace;
using namespace millrace::bench;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

gpu::Reading reading(const std::string& uuid, std::optional<double> decoder,
                     std::uint64_t memory_used) {
    gpu::Reading reading;
    reading.uuid = uuid;
    reading.decoder = decoder;
    reading.memory_used = memory_used;
    reading.memory_total = 100;
    return reading;
}

std::vector<gpu::Chosen> two_cards() {
    return {{3, "GPU-a", "H100", {}}, {1, "GPU-b", "T4", {}}};
}

// GPU 0 and GPU 1, and a CPU that is half idle.
Step failed(std::optional<double> GpuLoad::*unit, double share, std::uint32_t on = 0) {
    Step step;
    step.cpu_share = 0.5;
    step.idle_share = 0.5;
    step.gpus.resize(2);
    step.gpus[1].index = 1;
    step.gpus[on].*unit = share;
    return step;
}

Step of_cpu(double share, double idle) {
    Step step = failed(&GpuLoad::sm, 0.5);
    step.cpu_share = share;
    step.idle_share = idle;
    return step;
}

}  // namespace

TEST_CASE("a GPU's load is the mean of its units and the most of its memory", "[bench][gpu]") {
    LoadMeter meter(two_cards(), {2, 0});
    CHECK_FALSE(meter.loads()[0].decoder);
    CHECK_FALSE(meter.loads()[0].memory_taken);
    meter.add({reading("GPU-a", 0.2, 60), reading("GPU-c", 1.0, 99)});
    meter.add({});
    meter.add({reading("GPU-a", 0.6, 30)});
    meter.add({reading("GPU-a", std::nullopt, 40)});
    const std::vector<GpuLoad> loads = meter.loads();
    REQUIRE(loads.size() == 2);
    CHECK(loads[0].index == 3);
    CHECK(loads[0].sessions == 2);
    CHECK(*loads[0].decoder == Approx(0.4));
    CHECK(*loads[0].memory_taken == Approx(0.6));
    CHECK_FALSE(loads[0].encoder);
    CHECK(loads[1].index == 1);
    CHECK_FALSE(loads[1].decoder);
}

TEST_CASE("a GPU that the driver lists no more has fallen away", "[bench][gpu]") {
    const auto cards = two_cards();
    const auto all = std::vector{reading("GPU-a", 0.1, 1), reading("GPU-b", 0.1, 1)};
    CHECK(fallen_away(cards, all) == nullptr);
    CHECK(fallen_away(cards, {}) == nullptr);  // nothing was read yet
    CHECK(fallen_away(cards, {all[0], reading("", 0.1, 1)}) == &cards[1]);
}

TEST_CASE("the bound is what the step that failed had used up", "[bench][gpu]") {
    struct Row {
        Step step;
        Bound bound;
        std::optional<std::uint32_t> gpu;
    };
    Step several = failed(&GpuLoad::sm, 1.0);
    several.gpus[1].decoder = 0.91;
    Step with_cpu = failed(&GpuLoad::decoder, 0.99);
    with_cpu.cpu_share = 0.93;
    Step busy_cpu = failed(&GpuLoad::decoder, 0.99);
    busy_cpu.cpu_share = 0.8;
    Step refused = of_cpu(0.99, 0.01);
    refused.stages.renditions[static_cast<std::size_t>(EncodedBy::refused)] = 1;
    Step others = failed(&GpuLoad::decoder, 0.99);
    others.idle_share = 0.05;  // somebody else's work
    for (const Row& row : std::vector<Row>{
             {failed(&GpuLoad::decoder, 0.9), Bound::nvdec, 0},
             {failed(&GpuLoad::decoder, 0.95, 1), Bound::nvdec, 1},
             {failed(&GpuLoad::encoder, 0.9), Bound::nvenc, 0},
             {failed(&GpuLoad::memory_taken, 0.9), Bound::gpu_memory, 0},
             {failed(&GpuLoad::memory_bus, 0.9), Bound::gpu_memory_bus, 0},
             {failed(&GpuLoad::sm, 0.9, 1), Bound::sm, 1},
             {failed(&GpuLoad::decoder, 0.89), Bound::one_thread, {}},
             {several, Bound::nvdec, 1},
             {with_cpu, Bound::cpu, {}},
             {busy_cpu, Bound::nvdec, 0},
             {others, Bound::cpu, {}},
             {refused, Bound::encoder_sessions, {}},
             {of_cpu(0.7, 0.3), Bound::cpu, {}},
             {of_cpu(0.3, 0.2), Bound::cpu, {}},
             {of_cpu(0.5, 0.5), Bound::one_thread, {}},
         }) {
        const Binding binding = what_was_short(row.step);
        CHECK(to_string(binding.bound) == to_string(row.bound));
        CHECK(binding.gpu == row.gpu);
    }
    CHECK(what_was_short(several).share == Approx(0.91));
}

TEST_CASE("of several limits the least is the bound", "[bench][gpu]") {
    const auto is = [](const Ceiling& ceiling, std::uint32_t sessions, Bound bound) {
        return ceiling.sessions == sessions && ceiling.bound == bound;
    };
    CHECK(is(least(256, {}, {}), 256, Bound::limit));
    CHECK(is(least(256, 1'000'000'000'000, {}), 256, Bound::limit));
    CHECK(is(least(256, 12, {}), 12, Bound::memory));
    CHECK(is(least(256, 12, 5), 5, Bound::gpu_limit));
    CHECK(is(least(256, 12, 12), 12, Bound::gpu_limit));
    CHECK(is(least(256, 12, 13), 12, Bound::memory));
    CHECK(is(least(256, {}, 300), 256, Bound::limit));
    CHECK(is(least(256, 0, {}), 1, Bound::memory));  // one is always tried
}

TEST_CASE("people and programs are shown the GPUs of each step", "[bench][gpu]") {
    Finding finding;
    finding.sessions = 1;
    finding.lone.duration = 2s;
    Step step;
    step.sessions = 1;
    step.served = {{{1s, 2s}}};
    step.gpus.push_back({2, 1, 0.25, {}, 0.75, {}, 0.04});
    step.stages.segments[static_cast<std::size_t>(DecodedBy::gpu)] = 7;
    step.stages.segments[static_cast<std::size_t>(DecodedBy::codec)] = 2;
    step.stages.renditions[static_cast<std::size_t>(EncodedBy::gpu)] = 9;
    finding.steps.push_back(step);
    finding.binding = {Bound::nvdec, 2, 0.94};
    CHECK(in_words(step.gpus[0]) == "GPU 2: 1 session, NVDEC 25 %, SM 75 %, memory 4 % taken");
    CHECK_THAT(step_line(step, judge(step)), Contains("holds\n        GPU 2: 1 session, NVDEC"));
    CHECK_THAT(table(finding),
               Contains("segments decoded by: gpu 7, codec 2\n  renditions encoded by: gpu 9") &&
                   Contains("bound by the decoder (NVDEC) of GPU 2: 94 %"));
    const auto json = nlohmann::json::parse(to_json(finding));
    CHECK(json["bound"] == "nvdec");
    CHECK(json["bound_gpu"] == 2);
    const auto& shown = json["steps"][0];
    CHECK(shown["gpus"][0]["decoder"] == Approx(0.25));
    CHECK(shown["gpus"][0]["encoder"].is_null());
    CHECK(shown["decoded"]["gpu"] == 7);
    CHECK(shown["decoded"]["codec"] == 2);
    CHECK(shown["decoded"]["failed"] == 0);
    CHECK(shown["encoded"]["gpu"] == 9);
}
