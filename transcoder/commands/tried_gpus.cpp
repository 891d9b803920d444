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

void print_stages(const gpu::GpuRecord& record, int width) {
    for (const media::GpuStage& stage : record.trial.stages)
        std::printf("  %-*s %-14s %s\n", width, std::string(media::to_string(stage.kind)).c_str(),
                    stage.name.c_str(), stage.works ? "yes" : ("no: " + stage.reason).c_str());
}

}  // namespace millrace::transcoder
