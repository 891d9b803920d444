#pragma once
// The GPUs that a transcoder was told to use: found, tried, and in which state they are.
//
// Thread: take_stock() where one may wait (seconds for each GPU); values otherwise.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/domain/engine_protocol.h"
#include "common/domain/gpu_reading.h"
#include "transcoder/gpu/gpu_trial.h"
#include "transcoder/gpu/nvml.h"

namespace millrace::gpu {

enum class GpuState : std::uint8_t {
    ready,        // its trial went well
    unusable,     // it did not
    quarantined,  // it did, but sessions failed on it
};
inline constexpr std::array<std::string_view, 3> kGpuStates{"ready", "unusable", "quarantined"};
[[nodiscard]] std::string_view to_string(GpuState state);

// By sessions of a running transcoder.
struct GpuUse {
    std::uint32_t sessions = 0;
    std::uint64_t failures = 0;  // since start
};

struct GpuRecord {
    Chosen gpu;
    Trial trial;
    GpuState state = GpuState::ready;
    std::string reason;         // of a state that is not ready
    std::optional<GpuUse> use;  // none: nobody runs on it
};

using Stock = std::vector<GpuRecord>;

// "GPU 0 (NVIDIA H100 80GB HBM3)"
[[nodiscard]] std::string in_words(const Chosen& gpu);

[[nodiscard]] GpuRecord record_of(Chosen gpu, Trial trial);
// Without the stages that are not allowed.
[[nodiscard]] Trial restricted(Trial trial, const config::GpuStagesAllowed& allowed);
// "decode h264, encode h264_nvenc": what works.
[[nodiscard]] std::string stages_in_words(const GpuRecord& record);
// What was measured with this GPU holds for: "GPU-8f1c...:18 decode h264, encode h264_nvenc". How many encoders it
// gave is left out: others may hold some of them at the next start.
[[nodiscard]] std::string fingerprint(const GpuRecord& record);
// The ready ones, in order.
[[nodiscard]] Stock ready_of(const Stock& stock);
// Sessions that the ready ones have room for; none: one of them has no limit.
[[nodiscard]] std::optional<std::uint32_t> sessions_max(const Stock& stock);
// Encoders that the ready ones have at once, together; none: one of them was not seen to refuse any, or has none at
// all, so that its sessions are encoded elsewhere.
[[nodiscard]] std::optional<std::uint32_t> encoder_sessions_max(const Stock& stock);
// Those that sessions use or used, with what the driver tells of them.
[[nodiscard]] std::vector<GpuReading> readings_for_orchestrators(
    const Stock& stock, const std::vector<Reading>& latest);
// The task may leave to this GPU, which its engine has, what the trial found to work. The daemon's way and bench's.
void allow(EngineTask& task, const GpuRecord& record);
// The error (device) names what is missing: no driver, no such GPU, or none of them usable.
[[nodiscard]] Result<Stock> checked(Stock stock);
// Finds and tries them.
[[nodiscard]] Result<Stock> take_stock(const config::GpuSelection& selection);

}  // namespace millrace::gpu
