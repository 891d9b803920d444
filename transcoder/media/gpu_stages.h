#pragma once
// What a GPU was found to do, stage by stage, by trying (gpu_probe.h). Plain values.
//
// Thread: any.

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/domain/engine_protocol.h"

namespace millrace::media {

enum class GpuStageKind : std::uint8_t {
    context,           // the device can be opened at all
    transfer,          // a picture to its memory and back
    decode,            // name: the codec, "h264"
    scale,             // name: kOurScaler, or FFmpeg's filter
    encode,            // name: FFmpeg's encoder, "h264_nvenc"
    encoder_sessions,  // name: the encoder that was opened again and again; `count`
    kernel,            // name: what our own scales; of a self-test
    pipeline,  // name: the codec of a segment, whose renditions are the CPU's; of a self-test
};
inline constexpr std::array kGpuStageKinds{GpuStageKind::context, GpuStageKind::transfer,
                                           GpuStageKind::decode,  GpuStageKind::scale,
                                           GpuStageKind::encode,  GpuStageKind::encoder_sessions,
                                           GpuStageKind::kernel,  GpuStageKind::pipeline};
[[nodiscard]] std::string_view to_string(GpuStageKind kind);

// The stages that tasks may use, as they are told to engines (common/domain/engine_protocol.h).
[[nodiscard]] constexpr GpuStageKind stage_kind(GpuAbilityKind kind) {
    constexpr std::array kKinds{GpuStageKind::decode, GpuStageKind::scale, GpuStageKind::encode};
    return kKinds.at(static_cast<std::size_t>(kind));
}
[[nodiscard]] constexpr std::optional<GpuAbilityKind> ability_kind(GpuStageKind kind) {
    switch (kind) {
        case GpuStageKind::decode:
            return GpuAbilityKind::decode;
        case GpuStageKind::scale:
            return GpuAbilityKind::scale;
        case GpuStageKind::encode:
            return GpuAbilityKind::encode;
        default:
            return std::nullopt;
    }
}

// The name of scaling by our kernel (transcoder/cuda).
inline constexpr std::string_view kOurScaler = "kernel";

struct GpuStage {
    GpuStageKind kind = GpuStageKind::context;
    std::string name;
    bool works = false;
    std::string reason;  // why it does not work
    // Of encoder_sessions: how many the card gave at once before it refused one; none: it refused none of those
    // that were tried.
    std::optional<std::uint32_t> count = {};
    bool operator==(const GpuStage&) const = default;
};

using GpuStages = std::vector<GpuStage>;

[[nodiscard]] inline bool works(const GpuStages& stages, GpuStageKind kind, std::string_view name) {
    return std::ranges::any_of(stages, [&](const GpuStage& stage) {
        return stage.works && stage.kind == kind && stage.name == name;
    });
}

}  // namespace millrace::media
