#include "orchestrator/admin/journal_json.h"

#include <nlohmann/json.hpp>

#include "common/base/hex.h"
#include "orchestrator/admin/status_json.h"

namespace millrace::orchestrator::admin {
namespace {

using nlohmann::json;

double ms(Duration duration) {
    return static_cast<double>(duration.count() / 1000) / 1000;  // to the microsecond
}

json step_json(const TraceStep& step) {
    json value{{"after_ms", ms(step.after)}, {"what", step.what}};
    if (!step.transcoder.empty())
        value["transcoder"] = step.transcoder;
    if (step.attempt != 0)
        value["attempt"] = step.attempt;
    if (!step.detail.empty())
        value["detail"] = step.detail;
    return value;
}

json times_json(const StageTimes& times) {
    const auto to_ms = [](std::int64_t us) { return static_cast<double>(us) / 1000; };
    return {{"receive", to_ms(times.receive_us)}, {"decode", to_ms(times.decode_us)},
            {"scale", to_ms(times.scale_us)},     {"encode", to_ms(times.encode_us)},
            {"send", to_ms(times.send_us)},       {"total", to_ms(times.total_us)}};
}

json trace_json(const Trace& trace) {
    json steps = json::array();
    for (const TraceStep& step : trace.steps)
        steps.push_back(step_json(step));
    return {{"session", trace.segment.session.value},
            {"stream", trace.stream.value},
            {"run", trace.segment.run},
            {"seq", trace.segment.seq},
            {"sha256", trace.accepted ? json(to_hex(trace.segment.sha256)) : json(nullptr)},
            {"began_at", rfc3339(trace.began_at)},
            {"outcome", trace.outcome},
            {"steps", std::move(steps)},
            {"engine_ms", trace.times ? times_json(*trace.times) : json(nullptr)}};
}

struct Told {
    std::string_view kind;
    json data;
};

Told told(const TranscoderEvent& event) {
    return {"transcoder", {{"name", event.name}, {"state", event.state}, {"reason", event.reason}}};
}

Told told(const SessionEvent& event) {
    return {"session",
            {{"id", event.session.value},
             {"stream", event.stream.value},
             {"state", event.state},
             {"reason", event.reason}}};
}

Told told(const SegmentEvent& event) {
    return {"segment",
            {{"session", event.segment.session.value},
             {"stream", event.stream.value},
             {"run", event.segment.run},
             {"seq", event.segment.seq},
             {"outcome", event.outcome},
             {"transcoder", event.transcoder},
             {"detail", event.detail},
             {"total_ms", ms(event.total)}}};
}

}  // namespace

json traces_json(const std::vector<const Trace*>& traces) {
    json list = json::array();
    for (const Trace* trace : traces)
        list.push_back(trace_json(*trace));
    return list;
}

std::string event_text(std::string_view kind, const json& data) {
    // JSON text holds no line break of its own: one data line is enough.
    return "event: " + std::string(kind) +
           "\ndata: " + data.dump(-1, ' ', false, json::error_handler_t::replace) + "\n\n";
}

std::string event_text(const Event& event) {
    const Told one = std::visit([](const auto& e) { return told(e); }, event);
    return event_text(one.kind, one.data);
}

}  // namespace millrace::orchestrator::admin
