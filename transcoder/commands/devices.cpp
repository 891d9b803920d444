#include "transcoder/commands/devices.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "common/config/exit_code.h"
#include "common/runtime/loop.h"
#include "transcoder/commands/tried_gpus.h"
#include "transcoder/cuda/device.h"
#include "transcoder/engine/engine_process.h"
#include "transcoder/gpu/gpu_json.h"
#include "transcoder/media/devices.h"

namespace millrace::transcoder {
namespace {

using nlohmann::json;

json to_json(const std::vector<media::Ability>& abilities) {
    json list = json::array();
    for (const media::Ability& ability : abilities) {
        json entry{{"kind", ability.kind},
                   {"codec", ability.codec},
                   {"name", ability.name},
                   {"works", ability.works},
                   {"used", ability.used}};
        if (!ability.reason.empty())
            entry["reason"] = ability.reason;
        list.push_back(std::move(entry));
    }
    return list;
}

void print_table(const std::vector<media::Ability>& abilities) {
    for (const media::Ability& ability : abilities)
        std::printf("%-14s %-14s %-16s %s\n", ability.kind.c_str(), ability.codec.c_str(),
                    ability.name.c_str(),
                    !ability.works ? ("no: " + ability.reason).c_str()
                    : ability.used ? "yes"
                                   : ("works, not used: " + ability.reason).c_str());
}

// What an engine says when it is up, or why none comes up.
Result<EngineWalls> walls_of_an_engine() {
    constexpr Duration kUpWithin = std::chrono::seconds(10);
    std::optional<EngineWalls> walls;
    std::string why = "no engine came up";
    Loop loop;
    engine::EngineProcess::Callbacks callbacks;
    callbacks.on_walls = [&](const EngineWalls& found) { walls = found; };
    callbacks.on_lost = [&](engine::EngineDeath, const std::string& sentence) { why = sentence; };
    callbacks.on_ready = [] {};
    const engine::EngineProcess engine(loop, std::make_shared<BlockPool>(), std::move(callbacks));
    if (!loop.run_until([&] { return walls.has_value(); }, loop.now() + kUpWithin))
        return error(ErrorKind::internal, why);
    return std::move(*walls);
}

json to_json(const Result<EngineWalls>& walls) {
    if (!walls)
        return {{"error", walls.error().message}};
    return {{"system_calls", walls->system_calls},
            {"namespaces", walls->namespaces},
            {"memory_bytes", walls->memory_bytes},
            {"missing", walls->missing}};
}

std::string in_words(const Result<EngineWalls>& walls) {
    if (!walls)
        return "none: " + walls.error().message;
    std::string text = "system calls";
    if (walls->namespaces)
        text += ", namespaces";
    if (walls->memory_bytes > 0)
        text += ", memory " + std::to_string(walls->memory_bytes / 1024 / 1024) + " MiB";
    return walls->missing.empty() ? text : text + "; without " + walls->missing;
}

// What `--nvidia` does with one.
constexpr const char* kUse = "not used without --nvidia; what it can do for sessions stands below";

bool is_used(const gpu::GpuRecord& record) {
    using enum media::GpuStageKind;
    return record.state == gpu::GpuState::ready &&
           std::ranges::any_of(record.trial.stages, [](const media::GpuStage& stage) {
               return stage.works && (stage.kind == decode || stage.kind == encode);
           });
}

std::string use_of(const gpu::GpuRecord& record) {
    if (is_used(record))
        return kUse;
    return record.reason.empty() ? "no decoder works, and nothing else of it is used"
                                 : record.reason;
}

struct Gpus : TriedGpus {
    std::string kernel;  // whether this build's can be launched, or why not
};

Gpus find_gpus() {
    Gpus found{try_gpus([](const gpu::Chosen& gpu, std::size_t) { return gpu::try_gpu(gpu); }), {}};
    if (!found.missing.empty())
        return found;
    const auto device = cuda::Device::open();
    found.kernel = device ? "can be launched on " + (*device)->name() : device.error().message;
    return found;
}

json to_json(const Gpus& gpus) {
    json all{{"driver", gpus.driver}, {"kernel", gpus.kernel}, {"list", json::array()}};
    if (!gpus.missing.empty())
        all["missing"] = gpus.missing;
    for (std::size_t n = 0; n < gpus.list.size(); ++n) {
        json entry = gpu::to_json(gpus.list[n]);
        entry.update(gpu::to_json(gpus.stock[n]));
        entry["used"] = is_used(gpus.stock[n]);
        if (!entry["used"])
            entry["reason"] = use_of(gpus.stock[n]);
        all["list"].push_back(std::move(entry));
    }
    return all;
}

void print_gpus(const Gpus& gpus) {
    if (!gpus.missing.empty())
        std::printf("gpus           none: %s\n", gpus.missing.c_str());
    for (const gpu::GpuRecord& record : gpus.stock) {
        const gpu::Chosen& gpu = record.gpu;
        std::printf("gpu %-10u %s, %s, driver %s (%s)\n", gpu.index, gpu.name.c_str(),
                    gpu.uuid.c_str(), gpus.driver.c_str(), use_of(record).c_str());
        print_stages(record);
    }
    if (!gpus.list.empty())
        std::printf("cuda kernel    %s\n", gpus.kernel.c_str());
}

}  // namespace

int run_devices(bool as_json) {
    const Result<EngineWalls> walls = walls_of_an_engine();
    const media::Survey survey = media::survey();
    const Gpus gpus = find_gpus();
    if (as_json)
        std::printf("%s\n", json{{"devices", {{{"kind", "cpu"}, {"name", survey.cpu}}}},
                                 {"gpus", to_json(gpus)},
                                 {"ffmpeg", survey.ffmpeg},
                                 {"engine_walls", to_json(walls)},
                                 {"abilities", to_json(survey.abilities)}}
                                .dump(2)
                                .c_str());
    else {
        std::printf("cpu            %s\nffmpeg         %s\nengine walls   %s\n", survey.cpu.c_str(),
                    survey.ffmpeg.c_str(), in_words(walls).c_str());
        print_gpus(gpus);
        std::printf("\n");
        print_table(survey.abilities);
    }
    const bool works = !survey.capabilities.decode.empty() && !survey.capabilities.encode.empty();
    return works ? config::kExitDone : config::kExitDevice;
}

}  // namespace millrace::transcoder
