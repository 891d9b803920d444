#pragma once
// Which GPUs a transcoder may use, as `--nvidia` says it: `all`, or a list of indices and UUIDs, each
// with an optional limit of sessions (`0:18,1:15`).
//
// Thread: any; values.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace millrace::config {

inline constexpr std::size_t kGpusMax = 64;

struct GpuChoice {
    std::string which;                            // index ("0") or UUID ("GPU-8f1c...")
    std::optional<std::uint32_t> sessions_max{};  // at once
    bool operator==(const GpuChoice&) const = default;
};

// What they may do (`--gpu-stages decode,scale`): without `encode` renditions are those of CPU machines, as
// good, and with the same headers.
struct GpuStagesAllowed {
    bool decode = true;
    bool scale = true;
    bool encode = true;
    bool operator==(const GpuStagesAllowed&) const = default;
};

struct GpuSelection {
    bool all = false;
    std::vector<GpuChoice> chosen{};  // empty with `all`
    GpuStagesAllowed stages{};

    [[nodiscard]] bool none() const { return !all && chosen.empty(); }
    // As it was given.
    [[nodiscard]] std::string text() const;
    bool operator==(const GpuSelection&) const = default;
};

// The words between the commas. One error names everything that is wrong.
[[nodiscard]] Result<GpuSelection> parse_gpus(const std::vector<std::string>& words);

[[nodiscard]] Result<GpuStagesAllowed> parse_gpu_stages(const std::vector<std::string>& words);

}  // namespace millrace::config
