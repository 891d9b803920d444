// What happened to one segment.

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/http/target.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/commands/table.h"

namespace millrace::orchestrator::commands {
namespace {

using nlohmann::json;

// "decode 120 ms, encode 310 ms": the stages that took time.
std::string stages(const json& times) {
    std::string text;
    for (const auto& [stage, ms] : times.items())
        if (ms > 0)
            text +=
                fmt::format("{}{} {:.0f} ms", text.empty() ? "" : ", ", stage, ms.get<double>());
    return text;
}

void print_trace(const json& trace) {
    fmt::print("session {}  stream {}  run {}  seq {}: {}\nbegan at {}, sha256 {}\n",
               cell(trace, "session"), cell(trace, "stream"), cell(trace, "run"),
               cell(trace, "seq"), cell(trace, "outcome"), cell(trace, "began_at"),
               cell(trace, "sha256"));
    std::vector<Row> rows;
    for (const json& step : trace.at("steps"))
        rows.push_back({fmt::format("{:.1f}", step.value("after_ms", 0.0)), cell(step, "what"),
                        step.contains("attempt") ? cell(step, "attempt") : "",
                        step.value("transcoder", ""), step.value("detail", "")});
    print_table({"MS", "WHAT", "ATTEMPT", "TRANSCODER", "DETAIL"}, rows);
    if (const json& times = trace.at("engine_ms"); times.is_object())
        fmt::print("engine: {}\n", stages(times));
}

}  // namespace

int trace(const AdminTarget& target, const std::string& session, std::uint64_t seq) {
    const std::string path = fmt::format("/trace/{}/{}", http::percent_encode(session), seq);
    return show(target, "GET", path, {}, [](const json& traces) {
        for (const json& trace : traces)
            print_trace(trace);
    });
}

}  // namespace millrace::orchestrator::commands
