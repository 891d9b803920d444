#include "transcoder/commands/self_test.h"

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "common/config/exit_code.h"
#include "common/config/version.h"
#include "transcoder/commands/tried_gpus.h"
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

TriedGpus find() {
    TriedGpus findings = try_gpus([](const gpu::Chosen& gpu, std::size_t of) {
        return gpu::try_gpu(gpu, kAllWithin / of, "/proc/self/exe", gpu::TrialScope::full);
    });
    if (findings.missing.empty() && findings.list.empty())
        findings.missing = "the driver knows no GPU";
    return findings;
}

bool holds(const TriedGpus& findings) {
    return findings.missing.empty() && std::ranges::all_of(findings.stock, [](const auto& record) {
               return fault_of(record).empty();
           });
}

void print_report(const TriedGpus& findings) {
    std::printf("millrace %s, ffmpeg %s\n", std::string(config::version()).c_str(),
                media::ffmpeg_version().c_str());
    if (!findings.missing.empty())
        std::printf("self-test: no GPU: %s\n", findings.missing.c_str());
    for (const gpu::GpuRecord& record : findings.stock) {
        std::printf("\n%s, %s, driver %s\n", gpu::in_words(record.gpu).c_str(),
                    record.gpu.uuid.c_str(), findings.driver.c_str());
        print_stages(record);
        const std::string fault = fault_of(record);
        std::printf("self-test: %s: %s\n", gpu::in_words(record.gpu).c_str(),
                    fault.empty() ? "holds" : ("FAILS: " + fault).c_str());
    }
}

json report_of(const TriedGpus& findings) {
    json report{{"version", config::version()},
                {"ffmpeg", media::ffmpeg_version()},
                {"driver", findings.driver},
                {"holds", holds(findings)},
                {"missing", findings.missing.empty() ? json(nullptr) : json(findings.missing)},
                {"gpus", json::array()}};
    for (std::size_t n = 0; n < findings.stock.size(); ++n) {
        json entry = gpu::to_json(findings.list[n]);
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
    const TriedGpus findings = find();
    if (as_json)
        std::printf(
            "%s\n",
            report_of(findings).dump(2, ' ', false, json::error_handler_t::replace).c_str());
    else
        print_report(findings);
    return holds(findings) ? config::kExitDone : config::kExitDevice;
}

}  // namespace millrace::transcoder
