#include "transcoder/commands/self_test.h"

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "common/config/exit_code.h"
#include "common/config/version.h"
#include "transcoder/gpu/gpu_json.h"
#include "transcoder/gpu/self_test.h"
#include "transcoder/media/devices.h"

namespace millrace::transcoder {
namespace {

using media::GpuStage;
using media::GpuStageKind;
using nlohmann::json;

constexpr Duration kAllWithin = std::chrono::seconds(60);

bool is_of_the_self_test(const GpuStage& stage) {
    return stage.kind == GpuStageKind::kernel || stage.kind == GpuStageKind::pipeline;
}

struct Findings {
    std::string driver;
    std::vector<gpu::Reading> readings;
    gpu::Stock stock;     // the same, tried
    std::string missing;  // why there is none
};

// One after the other: they would hold each other up.
Findings find() {
    Findings findings;
    const auto nvml = gpu::Nvml::open();
    if (!nvml) {
        findings.missing = nvml.error().message;
        return findings;
    }
    findings.driver = (*nvml)->driver();
    findings.readings = (*nvml)->read();
    if (findings.readings.empty())
        findings.missing = "the driver knows no GPU";
    const Duration each = kAllWithin / std::max<std::size_t>(findings.readings.size(), 1);
    for (const gpu::Reading& reading : findings.readings) {
        const gpu::Chosen chosen{reading.index, reading.uuid, reading.name, std::nullopt};
        findings.stock.push_back(gpu::record_of(
            chosen, gpu::try_gpu(chosen, each, "/proc/self/exe", gpu::TrialScope::full)));
    }
    return findings;
}

bool holds(const Findings& findings) {
    return findings.missing.empty() && std::ranges::all_of(findings.stock, [](const auto& record) {
               return fault_of(record).empty();
           });
}

void print_report(const Findings& findings) {
    std::printf("millrace %s, ffmpeg %s\n", std::string(config::version()).c_str(),
                media::ffmpeg_version().c_str());
    if (!findings.missing.empty())
        std::printf("self-test: no GPU: %s\n", findings.missing.c_str());
    for (const gpu::GpuRecord& record : findings.stock) {
        std::printf("\n%s, %s, driver %s\n", gpu::in_words(record.gpu).c_str(),
                    record.gpu.uuid.c_str(), findings.driver.c_str());
        for (const GpuStage& stage : record.trial.stages)
            std::printf("  %-9s %-14s %s\n", std::string(media::to_string(stage.kind)).c_str(),
                        stage.name.c_str(), stage.works ? "yes" : ("no: " + stage.reason).c_str());
        const std::string fault = fault_of(record);
        std::printf("self-test: %s: %s\n", gpu::in_words(record.gpu).c_str(),
                    fault.empty() ? "holds" : ("FAILS: " + fault).c_str());
    }
}

json report_of(const Findings& findings) {
    json report{{"version", config::version()},
                {"ffmpeg", media::ffmpeg_version()},
                {"driver", findings.driver},
                {"holds", holds(findings)},
                {"missing", findings.missing.empty() ? json(nullptr) : json(findings.missing)},
                {"gpus", json::array()}};
    for (std::size_t n = 0; n < findings.stock.size(); ++n) {
        json entry = gpu::to_json(findings.readings[n]);
        entry.update(gpu::to_json(findings.stock[n]));
        const std::string fault = fault_of(findings.stock[n]);
        entry["fault"] = fault.empty() ? json(nullptr) : json(fault);
        report["gpus"].push_back(std::move(entry));
    }
    return report;
}

}  // namespace

std::string fault_of(const gpu::GpuRecord& record) {
    if (!record.reason.empty())
        return record.reason;
    for (const GpuStage& stage : record.trial.stages)
        if (is_of_the_self_test(stage) && !stage.works && !stage.reason.starts_with(gpu::kNotTried))
            return std::string(media::to_string(stage.kind)) + " " + stage.name + ": " +
                   stage.reason;
    return {};
}

int run_self_test(bool as_json) {
    const Findings findings = find();
    if (as_json)
        std::printf(
            "%s\n",
            report_of(findings).dump(2, ' ', false, json::error_handler_t::replace).c_str());
    else
        print_report(findings);
    return holds(findings) ? config::kExitDone : config::kExitDevice;
}

}  // namespace millrace::transcoder
