#include "transcoder/task_metrics.h"

#include "common/metrics/names.h"

namespace millrace::transcoder {

namespace names = metrics::transcoder_metrics;

TaskMetrics::TaskMetrics(std::string_view version)
    : metrics_(metrics::transcoder_table(), version) {}

void TaskMetrics::task_ended(std::string_view outcome) {
    if (outcome != "refused")
        metrics_.add(names::tasks_total, {outcome});
}

void TaskMetrics::stage(std::string_view name, double seconds) {
    metrics_.observe(names::task_seconds, {name}, seconds);
}

void TaskMetrics::received(Duration took) {
    stage("receive", to_seconds(took));
}
void TaskMetrics::sent(Duration took) {
    stage("send", to_seconds(took));
}

void TaskMetrics::transcoded(const TranscodeReport& report) {
    const StageTimes& times = report.times;
    const auto seconds = [](std::int64_t us) { return static_cast<double>(us) / 1e6; };
    stage("decode", seconds(times.decode_us));
    stage("scale", seconds(times.scale_us));
    stage("encode", seconds(times.encode_us));
    stage("total", seconds(times.total_us));
    metrics_.add(names::frames_total, {"decoded"}, static_cast<double>(report.source.frames));
    metrics_.add(names::pixels_total, {"decoded"}, static_cast<double>(report.source.pixels));
    for (const RenditionReport& rendition : report.renditions) {
        metrics_.add(names::frames_total, {"encoded"}, static_cast<double>(rendition.frames));
        metrics_.add(names::pixels_total, {"encoded"}, static_cast<double>(rendition.pixels));
    }
}

void TaskMetrics::engine_restarted(std::string_view reason) {
    metrics_.add(names::engine_restarts_total, {reason});
}

void TaskMetrics::link(const std::string& orchestrator, bool up) {
    metrics_.set(names::link_up, {orchestrator}, up ? 1 : 0);
}

void TaskMetrics::gpus(const std::vector<gpu::Reading>& readings) {
    for (const gpu::Reading& gpu : readings) {
        const std::string index = std::to_string(gpu.index);
        metrics_.forget("gpu", index);
        const auto set = [&](const metrics::GaugeDef& gauge, metrics::LabelValues labels,
                             const auto& value) {
            if (value)
                metrics_.set(gauge, labels, static_cast<double>(*value));
        };
        set(names::gpu_utilization_ratio, {index, "sm"}, gpu.sm);
        set(names::gpu_utilization_ratio, {index, "encoder"}, gpu.encoder);
        set(names::gpu_utilization_ratio, {index, "decoder"}, gpu.decoder);
        set(names::gpu_utilization_ratio, {index, "memory"}, gpu.memory);
        set(names::gpu_memory_bytes, {index, "used"}, gpu.memory_used);
        set(names::gpu_memory_bytes, {index, "total"}, gpu.memory_total);
        set(names::gpu_temperature_celsius, {index}, gpu.celsius);
        set(names::gpu_power_watts, {index}, gpu.watts);
        set(names::gpu_encoder_sessions, {index}, gpu.encoder_sessions);
        metrics_.set(names::gpu_throttled, {index}, gpu.throttled.empty() ? 0 : 1);
        metrics_.set(names::gpu_xid, {index}, static_cast<double>(gpu.xid.value_or(0)));
    }
}

void TaskMetrics::gpu_states(const gpu::Stock& stock) {
    for (const gpu::GpuRecord& record : stock) {
        const std::string index = std::to_string(record.gpu.index);
        for (const std::string_view state : gpu::kGpuStates)
            metrics_.set(names::gpu_state, {index, state},
                         state == gpu::to_string(record.state) ? 1 : 0);
        if (!record.use)
            continue;
        metrics_.set(names::gpu_sessions, {index}, record.use->sessions);
        metrics_.raise_to(names::gpu_failures_total, {index},
                          static_cast<double>(record.use->failures));
    }
}

void TaskMetrics::stages(const StagesUsed& used) {
    metrics_.add(names::gpu_segments_total, {to_string(used.decoded)});
    for (const EncodedBy by : used.encoded)
        metrics_.add(names::gpu_renditions_total, {to_string(by)});
    metrics_.add(names::gpu_scaled_total, {}, static_cast<double>(used.scaled));
    metrics_.add(names::gpu_downloads_total, {}, static_cast<double>(used.downloads));
    metrics_.add(names::gpu_uploads_total, {}, static_cast<double>(used.uploads));
}

std::string TaskMetrics::exposition(const CoreStatus& status) {
    metrics_.set(names::tasks_active, status.tasks_active);
    metrics_.set(names::slots, status.slots);
    metrics_.set(names::slots_reserved, status.slots_reserved);
    return metrics_.exposition();
}

}  // namespace millrace::transcoder
