#include "transcoder/gpu/gpu_stock.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace millrace::gpu {

std::string_view to_string(GpuState state) {
    return kGpuStates.at(static_cast<std::size_t>(state));
}

std::string in_words(const Chosen& gpu) {
    return "GPU " + std::to_string(gpu.index) + (gpu.name.empty() ? "" : " (" + gpu.name + ")");
}

GpuRecord record_of(Chosen gpu, Trial trial) {
    const std::string reason = trial.reason();
    const GpuState state = reason.empty() ? GpuState::ready : GpuState::unusable;
    return {std::move(gpu), std::move(trial), state, reason, {}};
}

std::string stages_in_words(const GpuRecord& record) {
    std::string text;
    for (const media::GpuStage& stage : record.trial.stages)
        if (stage.works && stage.kind != media::GpuStageKind::encoder_sessions)
            text += (text.empty() ? "" : ", ") + std::string(media::to_string(stage.kind)) + " " +
                    stage.name;
    return text;
}

std::string fingerprint(const GpuRecord& record) {
    std::string text = record.gpu.uuid;
    if (record.gpu.sessions_max)
        text += ":" + std::to_string(*record.gpu.sessions_max);
    return text + " " + stages_in_words(record);
}

Stock ready_of(const Stock& stock) {
    Stock ready;
    std::ranges::copy_if(stock, std::back_inserter(ready),
                         [](const GpuRecord& record) { return record.state == GpuState::ready; });
    return ready;
}

std::optional<std::uint32_t> sessions_max(const Stock& stock) {
    std::uint32_t sum = 0;
    for (const GpuRecord& record : stock) {
        if (record.state != GpuState::ready)
            continue;
        if (!record.gpu.sessions_max)
            return std::nullopt;
        sum += *record.gpu.sessions_max;
    }
    return sum;
}

std::optional<std::uint32_t> encoder_sessions_max(const Stock& stock) {
    std::uint32_t sum = 0;
    for (const GpuRecord& record : ready_of(stock)) {
        const auto counted = std::ranges::find_if(record.trial.stages, [](const auto& stage) {
            return stage.works && stage.kind == media::GpuStageKind::encoder_sessions;
        });
        if (counted == record.trial.stages.end() || !counted->count)
            return std::nullopt;
        sum += *counted->count;
    }
    return sum == 0 ? std::nullopt : std::optional(sum);
}

void allow(EngineTask& task, const GpuRecord& record) {
    task.gpu.clear();
    for (const media::GpuStage& stage : record.trial.stages)
        if (const auto kind = media::ability_kind(stage.kind))
            task.gpu.push_back({*kind, stage.name, stage.works, stage.reason});
}

Result<Stock> checked(Stock stock) {
    std::string reasons;
    for (const GpuRecord& record : stock) {
        if (record.state == GpuState::ready)
            return stock;
        reasons += (reasons.empty() ? "" : "; ") + in_words(record.gpu) + ": " + record.reason;
    }
    return error(ErrorKind::device, "no GPU can be used: " + reasons);
}

Trial restricted(Trial trial, const config::GpuStagesAllowed& allowed) {
    using enum media::GpuStageKind;
    for (media::GpuStage& stage : trial.stages)
        if ((stage.kind == decode && !allowed.decode) || (stage.kind == scale && !allowed.scale) ||
            ((stage.kind == encode || stage.kind == encoder_sessions) && !allowed.encode)) {
            stage.works = false;
            stage.reason = "left out by --gpu-stages";
        }
    return trial;
}

Result<Stock> take_stock(const config::GpuSelection& selection) {
    auto nvml = Nvml::open();
    if (!nvml)
        return error(ErrorKind::device, nvml.error().message);
    auto chosen = choose(selection, (*nvml)->read());
    if (!chosen)
        return chosen.error();
    Stock stock;
    for (Chosen& gpu : *chosen) {
        Trial trial = restricted(try_gpu(gpu), selection.stages);
        stock.push_back(record_of(std::move(gpu), std::move(trial)));
    }
    return checked(std::move(stock));
}

namespace {

std::int32_t permille(const std::optional<double>& share) {
    return share ? static_cast<std::int32_t>(std::lround(*share * 1000)) : GpuReading::kNotTold;
}

void add(GpuReading& to, const Reading& now) {
    to.sm_permille = permille(now.sm);
    to.decoder_permille = permille(now.decoder);
    to.encoder_permille = permille(now.encoder);
    to.memory_used = now.memory_used.value_or(0);
    to.memory_total = now.memory_total.value_or(0);
    if (now.celsius)
        to.celsius = static_cast<std::int32_t>(std::lround(*now.celsius));
}

}  // namespace

std::vector<GpuReading> readings_for_orchestrators(const Stock& stock,
                                                   const std::vector<Reading>& latest) {
    std::vector<GpuReading> told;
    for (const GpuRecord& record : stock) {
        if (record.state == GpuState::unusable)
            continue;
        GpuReading& gpu = told.emplace_back();
        gpu.index = record.gpu.index;
        gpu.name = record.gpu.name;
        gpu.sessions = record.use ? record.use->sessions : 0;
        gpu.failures = record.use ? record.use->failures : 0;
        gpu.quarantine = record.state == GpuState::quarantined ? record.reason : std::string();
        const auto now = std::ranges::find(latest, record.gpu.uuid, &Reading::uuid);
        if (now != latest.end())
            add(gpu, *now);
    }
    return told;
}

}  // namespace millrace::gpu
