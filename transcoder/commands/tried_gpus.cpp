#include "transcoder/commands/tried_gpus.h"

#include <cstdio>

namespace millrace::transcoder {

TriedGpus try_gpus(
    const std::function<gpu::Trial(const gpu::Chosen& gpu, std::size_t of)>& attempt) {
    TriedGpus tried;
    const auto nvml = gpu::Nvml::open();
    if (!nvml) {
        tried.missing = nvml.error().message;
        return tried;
    }
    tried.driver = (*nvml)->driver();
    tried.list = (*nvml)->read();
    for (const gpu::Reading& reading : tried.list) {
        const gpu::Chosen chosen{reading.index, reading.uuid, reading.name, std::nullopt};
        tried.stock.push_back(gpu::record_of(chosen, attempt(chosen, tried.list.size())));
    }
    return tried;
}

namespace {

std::string outcome(const media::GpuStage& stage) {
    if (!stage.works)
        return "no: " + stage.reason;
    if (stage.kind != media::GpuStageKind::encoder_sessions)
        return "yes";
    return stage.count ? std::to_string(*stage.count) + " at once, then it refused" : "no end seen";
}

}  // namespace

void print_stages(const gpu::GpuRecord& record) {
    for (const media::GpuStage& stage : record.trial.stages)
        std::printf("  %-16s %-14s %s\n", std::string(media::to_string(stage.kind)).c_str(),
                    stage.name.c_str(), outcome(stage).c_str());
}

}  // namespace millrace::transcoder
