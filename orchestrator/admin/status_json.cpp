#include "orchestrator/admin/status_json.h"

#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/base/hex.h"

namespace millrace::orchestrator::admin {
namespace {

using nlohmann::json;

json limit(const std::optional<std::uint32_t>& value) {
    return value ? json(*value) : json(nullptr);
}

template <class T>
json names(const std::vector<T>& values) {
    json list = json::array();
    for (const T value : values)
        list.push_back(to_string(value));
    return list;
}

json capacity_json(const CapacityStatus& capacity) {
    return {{"sessions_active", capacity.sessions_active},
            {"sessions_max", limit(capacity.sessions_max)},
            {"limits",
             {{"operator", limit(capacity.limit_operator)},
              {"transcoders", capacity.limit_transcoders},
              {"stake", limit(capacity.limit_stake)}}},
            {"binding", capacity.binding}};
}

// What a card does not tell is null.
json gpu_json(const GpuReading& gpu) {
    const auto told = [](std::int32_t value, double unit) {
        return value == GpuReading::kNotTold ? json(nullptr) : json(value / unit);
    };
    constexpr double kPermille = 1000;
    return {{"index", gpu.index},
            {"name", gpu.name},
            {"sessions", gpu.sessions},
            {"failures", gpu.failures},
            {"quarantine", gpu.quarantine.empty() ? json(nullptr) : json(gpu.quarantine)},
            {"utilization",
             {{"sm", told(gpu.sm_permille, kPermille)},
              {"decoder", told(gpu.decoder_permille, kPermille)},
              {"encoder", told(gpu.encoder_permille, kPermille)}}},
            {"memory_bytes", gpu.memory_total == 0
                                 ? json(nullptr)
                                 : json{{"used", gpu.memory_used}, {"total", gpu.memory_total}}},
            {"celsius", told(gpu.celsius, 1)}};
}

json transcoder_json(const TranscoderStatus& transcoder) {
    json devices = json::array();
    for (const Device& device : transcoder.devices)
        devices.push_back({{"kind", device.kind}, {"name", device.name}, {"slots", device.slots}});
    json gpus = json::array();
    for (const GpuReading& gpu : transcoder.gpus)
        gpus.push_back(gpu_json(gpu));
    return {{"name", transcoder.name},
            {"gpus", std::move(gpus)},
            {"key", transcoder.key.value},
            {"state", transcoder.state},
            {"capacity", transcoder.capacity},
            {"load", transcoder.load},
            {"devices", std::move(devices)},
            {"capabilities",
             {{"decode", names(transcoder.capabilities.decode)},
              {"encode", names(transcoder.capabilities.encode)},
              {"audio_encode", names(transcoder.capabilities.audio_encode)},
              {"containers", names(transcoder.capabilities.containers_out)},
              {"color_depth_max", transcoder.capabilities.color_depth_max}}},
            {"labels", transcoder.labels},
            {"version", transcoder.version},
            {"signer", transcoder.signer ? json(to_hex(transcoder.signer->bytes)) : json(nullptr)},
            {"realtime_ratio", transcoder.realtime_ratio},
            {"failures", transcoder.failures},
            {"rtt_ms", transcoder.rtt_ms},
            {"segments_ok", transcoder.segments_ok},
            {"segments_failed", transcoder.segments_failed},
            {"pixels", transcoder.pixels}};
}

std::string wall(TimePoint time, const Clocks& clocks) {
    return rfc3339({clocks.wall_now.ms - to_ms(clocks.steady_now - time)});
}

json session_json(const SessionStatus& session, const Clocks& clocks) {
    return {
        {"id", session.id.value},
        {"stream", session.stream.value},
        {"account", session.account.value},
        {"transcoder", session.transcoder.empty() ? json(nullptr) : json(session.transcoder)},
        {"segments_ok", session.segments_ok},
        {"segments_failed", session.segments_failed},
        {"in_flight", session.in_flight},
        {"started_at", wall(session.started_at, clocks)},
        {"last_segment_at",
         session.last_segment_at ? json(wall(*session.last_segment_at, clocks)) : json(nullptr)},
        {"realtime_ratio", session.realtime_ratio},
        {"effort", session.effort}};
}

json stake_json(const stake::StakeView& stake) {
    // A decimal string: a JSON number would be read as floating point.
    return {{"source", stake.source},
            {"state", stake.state},
            {"tokens", stake.tokens ? json(stake.tokens->text()) : json(nullptr)},
            {"active", stake.active},
            {"updated_at", stake.updated_at ? json(rfc3339(*stake.updated_at)) : json(nullptr)},
            {"round", stake.round ? json(*stake.round) : json(nullptr)},
            {"problem", stake.problem}};
}

}  // namespace

std::string rfc3339(WallTime time) {
    const std::time_t seconds = time.ms / 1000;
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                       utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                       time.ms % 1000);
}

json status_json(const CoreStatus& status, const stake::StakeView& stake,
                 const ProcessInfo& process, const Clocks& clocks) {
    json transcoders = json::array();
    for (const TranscoderStatus& transcoder : status.transcoders)
        transcoders.push_back(transcoder_json(transcoder));
    json sessions = json::array();
    for (const SessionStatus& session : status.sessions)
        sessions.push_back(session_json(session, clocks));
    return {{"version", process.version},
            {"uptime", to_seconds(clocks.steady_now - clocks.started_at)},
            {"epoch", process.epoch.value},
            {"capacity", capacity_json(status.capacity)},
            {"stake", stake_json(stake)},
            {"tasks_active", status.tasks_active},
            {"payload_bytes", status.payload_bytes},
            {"transcoders", std::move(transcoders)},
            {"sessions", std::move(sessions)}};
}

}  // namespace millrace::orchestrator::admin
