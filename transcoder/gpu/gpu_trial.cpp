#include "transcoder/gpu/gpu_trial.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "transcoder/gpu/trial_process.h"

namespace millrace::gpu {
namespace {

using media::GpuStage;
using media::GpuStageKind;
using nlohmann::json;

constexpr std::size_t kStagesMax = 64;

std::optional<GpuStageKind> kind_of(std::string_view name) {
    for (const auto kind : media::kGpuStageKinds)
        if (media::to_string(kind) == name)
            return kind;
    return std::nullopt;
}

std::string text_of(const json& object, const char* key) {
    const auto at = object.find(key);
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

std::optional<std::uint32_t> count_of(const json& object) {
    const auto at = object.find("count");
    return at != object.end() && at->is_number_unsigned() ? std::optional(at->get<std::uint32_t>())
                                                          : std::nullopt;
}

bool works(const media::GpuStages& stages, GpuStageKind kind) {
    return std::ranges::any_of(
        stages, [&](const GpuStage& stage) { return stage.works && stage.kind == kind; });
}

}  // namespace

bool Trial::usable() const {
    return failure.empty() && works(stages, GpuStageKind::transfer) &&
           (works(stages, GpuStageKind::decode) || works(stages, GpuStageKind::encode));
}

std::string Trial::reason() const {
    if (usable())
        return {};
    if (!failure.empty())
        return failure;
    for (const GpuStage& stage : stages)
        if (!stage.works && stage.kind <= GpuStageKind::transfer)
            return std::string(media::to_string(stage.kind)) + ": " + stage.reason;
    std::string reason = "it neither decodes nor encodes";
    for (const GpuStage& stage : stages)
        if (!stage.works && (stage.name == "h264" || stage.name == "h264_nvenc"))
            reason += "; " + stage.name + ": " + stage.reason;
    return reason;
}

void TrialReader::line(std::string_view text) {
    const json said = json::parse(text, nullptr, false);
    if (!said.is_object())
        return;
    done_ |= text_of(said, "say") == "done";
    const auto kind = kind_of(text_of(said, "kind"));
    if (!kind || trial_.stages.size() >= kStagesMax)
        return;
    at_ = text_of(said, "kind") + " " + text_of(said, "name");
    if (text_of(said, "say") != "tried")
        return;
    at_.clear();
    trial_.stages.push_back({*kind, text_of(said, "name"), said.value("works", json(false)) == true,
                             text_of(said, "reason"), count_of(said)});
}

Trial TrialReader::finish(const std::string& ending) && {
    if (!ending.empty() || !done_)
        trial_.failure = "the trial " + (ending.empty() ? "ended before it was through" : ending) +
                         (at_.empty() ? "" : " at " + at_);
    return std::move(trial_);
}

Trial try_gpu(const Chosen& gpu, Duration limit, const std::string& executable, TrialScope scope) {
    if (gpu.uuid.empty())
        return {{}, "the driver does not know it any more: it fell off the bus"};
    TrialReader reader;
    const std::string ending = run_trial({gpu.uuid, executable, scope}, limit,
                                         [&](std::string_view line) { reader.line(line); });
    return std::move(reader).finish(ending);
}

}  // namespace millrace::gpu
