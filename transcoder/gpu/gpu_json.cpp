#include "transcoder/gpu/gpu_json.h"

#include <nlohmann/json.hpp>

namespace millrace::gpu {
namespace {

using nlohmann::json;

template <class T>
json or_null(const std::optional<T>& value) {
    return value ? json(*value) : json(nullptr);
}

template <std::size_t count>
json by_name(const std::array<std::string_view, count>& names,
             const std::array<std::uint64_t, count>& counts) {
    json all = json::object();
    for (std::size_t by = 0; by < count; ++by)
        all[std::string(names[by])] = counts[by];
    return all;
}

}  // namespace

json decoders_json(const StageCounts& counts) {
    return by_name(kDecodedBy, counts.segments);
}

json encoders_json(const StageCounts& counts) {
    return by_name(kEncodedBy, counts.renditions);
}

json to_json(const Reading& gpu) {
    return {{"index", gpu.index},
            {"uuid", gpu.uuid},
            {"name", gpu.name},
            {"utilization",
             {{"sm", or_null(gpu.sm)},
              {"encoder", or_null(gpu.encoder)},
              {"decoder", or_null(gpu.decoder)},
              {"memory", or_null(gpu.memory)}}},
            {"memory_used_bytes", or_null(gpu.memory_used)},
            {"memory_total_bytes", or_null(gpu.memory_total)},
            {"temperature_celsius", or_null(gpu.celsius)},
            {"power_watts", or_null(gpu.watts)},
            {"encoder_sessions", or_null(gpu.encoder_sessions)},
            {"throttled", gpu.throttled},
            {"xid", or_null(gpu.xid)}};
}

json to_json(const GpuRecord& record) {
    json stages = json::array();
    for (const media::GpuStage& stage : record.trial.stages) {
        stages.push_back({{"kind", media::to_string(stage.kind)},
                          {"name", stage.name},
                          {"works", stage.works},
                          {"reason", stage.reason}});
        if (stage.kind == media::GpuStageKind::encoder_sessions)
            stages.back()["count"] = or_null(stage.count);
    }
    json entry{{"state", to_string(record.state)},
               {"reason", record.reason.empty() ? json(nullptr) : json(record.reason)},
               {"sessions_max", or_null(record.gpu.sessions_max)},
               {"stages", std::move(stages)}};
    if (record.use)
        entry.update({{"sessions", record.use->sessions}, {"failures", record.use->failures}});
    return entry;
}

}  // namespace millrace::gpu
