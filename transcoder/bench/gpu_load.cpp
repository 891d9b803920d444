#include "transcoder/bench/gpu_load.h"

#include <algorithm>

namespace millrace::bench {

void LoadMeter::Mean::add(const std::optional<double>& value) {
    sum += value.value_or(0);
    count += value ? 1 : 0;
}

std::optional<double> LoadMeter::Mean::value() const {
    return count > 0 ? std::optional(sum / count) : std::nullopt;
}

LoadMeter::LoadMeter(const std::vector<gpu::Chosen>& gpus,
                     const std::vector<std::uint32_t>& sessions) {
    for (std::size_t n = 0; n < gpus.size(); ++n) {
        Gpu& gpu = gpus_.emplace_back();
        gpu.uuid = gpus[n].uuid;
        gpu.load.index = gpus[n].index;
        gpu.load.sessions = sessions.at(n);
    }
}

void LoadMeter::add(const std::vector<gpu::Reading>& now) {
    for (Gpu& gpu : gpus_) {
        const auto reading = std::ranges::find(now, gpu.uuid, &gpu::Reading::uuid);
        if (reading == now.end())
            continue;
        gpu.means[0].add(reading->decoder);
        gpu.means[1].add(reading->encoder);
        gpu.means[2].add(reading->sm);
        gpu.means[3].add(reading->memory);
        if (reading->memory_used && reading->memory_total.value_or(0) > 0) {
            const double taken = static_cast<double>(*reading->memory_used) /
                                 static_cast<double>(*reading->memory_total);
            gpu.load.memory_taken = std::max(gpu.load.memory_taken.value_or(0), taken);
        }
    }
}

std::vector<GpuLoad> LoadMeter::loads() const {
    std::vector<GpuLoad> all;
    for (const Gpu& gpu : gpus_) {
        GpuLoad& load = all.emplace_back(gpu.load);
        load.decoder = gpu.means[0].value();
        load.encoder = gpu.means[1].value();
        load.sm = gpu.means[2].value();
        load.memory_bus = gpu.means[3].value();
    }
    return all;
}

const gpu::Chosen* fallen_away(const std::vector<gpu::Chosen>& gpus,
                               const std::vector<gpu::Reading>& now) {
    if (now.empty())
        return nullptr;
    const auto gone = std::ranges::find_if(gpus, [&](const gpu::Chosen& gpu) {
        return std::ranges::find(now, gpu.uuid, &gpu::Reading::uuid) == now.end();
    });
    return gone == gpus.end() ? nullptr : &*gone;
}

}  // namespace millrace::bench
