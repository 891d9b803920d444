#include "transcoder/bench/report.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "transcoder/gpu/gpu_json.h"

namespace millrace::bench {
namespace {

constexpr int kBarWidth = 30;  // characters for a whole duration

// Full where p95 is the segment's duration; what is beyond is marked, not drawn.
std::string bar(double p95) {
    const int filled = static_cast<int>(std::clamp(p95, 0.0, 1.0) * kBarWidth + 0.5);
    std::string drawn;
    for (int n = 0; n < kBarWidth; ++n)
        drawn += n < filled ? "█" : "·";
    return drawn + (p95 > 1 ? "▶" : "│");
}

double percent(std::int64_t part, std::int64_t whole) {
    return whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

nlohmann::json quantiles_json(const Quantiles& q) {
    return {{"p50", q.p50}, {"p95", q.p95}, {"p99", q.p99}};
}

nlohmann::json share_json(const std::optional<double>& share) {
    return share ? nlohmann::json(*share) : nlohmann::json();
}

nlohmann::json gpus_json(const std::vector<GpuLoad>& loads) {
    nlohmann::json gpus = nlohmann::json::array();
    for (const GpuLoad& load : loads)
        gpus.push_back({{"index", load.index},
                        {"sessions", load.sessions},
                        {"decoder", share_json(load.decoder)},
                        {"encoder", share_json(load.encoder)},
                        {"sm", share_json(load.sm)},
                        {"memory_bus", share_json(load.memory_bus)},
                        {"memory_taken", share_json(load.memory_taken)}});
    return gpus;
}

template <std::size_t N>
std::string counts_line(const char* what, const std::array<std::uint64_t, N>& counts,
                        const std::array<std::string_view, N>& names) {
    std::string list;
    for (std::size_t by = 0; by < N; ++by)
        if (counts[by] > 0)
            list += fmt::format("{} {} {}", list.empty() ? "" : ",", names[by], counts[by]);
    return list.empty() ? "" : fmt::format("  {}:{}\n", what, list);
}

nlohmann::json step_json(const Step& step) {
    const Verdict verdict = judge(step);
    nlohmann::json sessions = nlohmann::json::array();
    for (const auto& served : step.served)
        sessions.push_back(quantiles_json(quantiles(served)));
    return {{"sessions", step.sessions},
            {"holds", verdict.holds},
            {"late", verdict.late},
            {"given_up", step.given_up},
            {"cpu_share", step.cpu_share},
            {"idle_share", step.idle_share},
            {"gpus", gpus_json(step.gpus)},
            // By whom; null: no session had a GPU.
            {"decoded", step.gpus.empty() ? nlohmann::json() : gpu::decoders_json(step.stages)},
            {"encoded", step.gpus.empty() ? nlohmann::json() : gpu::encoders_json(step.stages)},
            {"all", quantiles_json(verdict.all)},
            {"by_session", std::move(sessions)}};
}

}  // namespace

std::string in_words(const GpuLoad& load) {
    std::string text = fmt::format("GPU {}: {} session{}", load.index, load.sessions,
                                   load.sessions == 1 ? "" : "s");
    const auto add = [&text](const char* what, const std::optional<double>& share,
                             const char* how = "") {
        if (share)
            text += fmt::format(", {} {:.0f} %{}", what, 100 * *share, how);
    };
    add("NVDEC", load.decoder);
    add("NVENC", load.encoder);
    add("SM", load.sm);
    add("memory bus", load.memory_bus);
    add("memory", load.memory_taken, " taken");
    return text;
}

std::string step_line(const Step& step, const Verdict& verdict) {
    std::string text =
        fmt::format("  {:>4} session{}  {} p95 {:.2f} of a segment's duration, CPU {:3.0f} %  {}",
                    step.sessions, step.sessions == 1 ? " " : "s", bar(verdict.all.p95),
                    verdict.all.p95, 100 * step.cpu_share,
                    verdict.holds  ? "holds"
                    : verdict.late ? "too late"
                                   : "no room to spare");
    for (const GpuLoad& load : step.gpus)
        text += "\n        " + in_words(load);
    return text;
}

std::string bound_sentence(const Finding& finding) {
    const Binding& binding = finding.binding;
    const auto of_gpu = [&binding](const char* what) {
        return fmt::format("bound by {} of GPU {}: {:.0f} %", what, binding.gpu.value_or(0),
                           100 * binding.share);
    };
    switch (binding.bound) {
        case Bound::cpu:
            return "bound by the CPU";
        case Bound::one_thread:
            return "bound by a session's slowest stage: it is one thread, and cores are idle";
        case Bound::memory:
            return fmt::format("bound by memory: an engine takes {} MiB",
                               finding.lone.memory >> 20);
        case Bound::limit:
            return "bound by the number of slots that a transcoder may have";
        case Bound::gpu_limit:
            return "bound by the limits of --nvidia";
        case Bound::nvdec:
            return of_gpu("the decoder (NVDEC)");
        case Bound::nvenc:
            return of_gpu("the encoder (NVENC)");
        case Bound::encoder_sessions:
            return "bound by the encoders that a GPU allows: the CPU encoded what it refused";
        case Bound::gpu_memory:
            return of_gpu("the memory");
        case Bound::gpu_memory_bus:
            return of_gpu("the memory's bandwidth");
        case Bound::sm:
            return of_gpu("the SMs");
    }
    return "";
}

std::string table(const Finding& finding) {
    const Lone& lone = finding.lone;
    const std::int64_t inside = lone.times.decode_us + lone.times.scale_us + lone.times.encode_us;
    std::string text;
    if (const Step* best = finding.best()) {
        const Verdict verdict = judge(*best);
        text += "\n  of a segment's duration      p50    p95    p99\n";
        text += fmt::format("  all sessions              {:6.2f} {:6.2f} {:6.2f}\n",
                            verdict.all.p50, verdict.all.p95, verdict.all.p99);
        text += fmt::format("  the slowest session       {:6.2f} {:6.2f} {:6.2f}\n",
                            verdict.worst.p50, verdict.worst.p95, verdict.worst.p99);
        text += counts_line("segments decoded by", best->stages.segments, kDecodedBy);
        text += counts_line("renditions encoded by", best->stages.renditions, kEncodedBy);
    }
    text += fmt::format(
        "\n  a segment alone: {:.2f} s of CPU for {:.2f} s of video, {:.2f} s from first to last"
        " (decode {:.0f} %, scale {:.0f} %, encode {:.0f} %), {} MiB\n",
        to_seconds(lone.cpu), to_seconds(lone.duration), to_seconds(lone.wall),
        percent(lone.times.decode_us, inside), percent(lone.times.scale_us, inside),
        percent(lone.times.encode_us, inside), lone.memory >> 20);
    if (finding.best() != nullptr)
        text += fmt::format("  on the full machine: {:.2f} of that CPU\n", finding.crowding());
    text += fmt::format("\n{} session{} in real time, {}\n", finding.sessions,
                        finding.sessions == 1 ? "" : "s", bound_sentence(finding));
    return text;
}

std::string to_json(const Finding& finding) {
    const Lone& lone = finding.lone;
    const CpuBudget cpu = finding.capacity().cpu;
    nlohmann::json steps = nlohmann::json::array();
    for (const Step& step : finding.steps)
        steps.push_back(step_json(step));
    const nlohmann::json document{
        {"sessions", finding.sessions},
        {"bound", to_string(finding.binding.bound)},
        {"bound_gpu",
         finding.binding.gpu ? nlohmann::json(*finding.binding.gpu) : nlohmann::json()},
        {"capacity",
         {{"cpu_ps_per_second", cpu.available},
          {"decode_ps_per_pixel", cpu.decode},
          {"scale_ps_per_pixel", cpu.scale},
          {"encode_ps_per_pixel", cpu.encode}}},
        {"segment",
         {{"duration_seconds", to_seconds(lone.duration)},
          {"cpu_seconds", to_seconds(lone.cpu)},
          {"wall_seconds", to_seconds(lone.wall)},
          {"cpu_full", finding.crowding()},  // on the full machine, of cpu_seconds
          {"memory_bytes", lone.memory},
          {"decode_us", lone.times.decode_us},
          {"scale_us", lone.times.scale_us},
          {"encode_us", lone.times.encode_us}}},
        {"source",
         {{"width", lone.source.size.width},
          {"height", lone.source.size.height},
          {"codecs", lone.source.codecs}}},
        {"steps", std::move(steps)}};
    return document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace millrace::bench
