#pragma once
// GpuLoad: how busy a GPU was while so many sessions ran on it. LoadMeter makes it of the driver's readings. Pure.
//
// The driver counts whoever is at work on the card, not our sessions alone.
//
// Thread: any.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "transcoder/gpu/gpu_choice.h"
#include "transcoder/gpu/nvml.h"

namespace millrace::bench {

// Shares from 0 to 1; none: the driver does not tell.
struct GpuLoad {
    std::uint32_t index = 0;     // as NVML counts
    std::uint32_t sessions = 0;  // seated there
    // Of the time; means.
    std::optional<double> decoder;
    std::optional<double> encoder;
    std::optional<double> sm;
    std::optional<double> memory_bus;
    std::optional<double> memory_taken;  // of its memory, at most
};

class LoadMeter {
public:
    // `sessions`: of each GPU.
    LoadMeter(const std::vector<gpu::Chosen>& gpus, const std::vector<std::uint32_t>& sessions);

    void add(const std::vector<gpu::Reading>& now);
    // GPUs in the order they were given.
    [[nodiscard]] std::vector<GpuLoad> loads() const;

private:
    struct Mean {
        double sum = 0;
        int count = 0;
        void add(const std::optional<double>& value);
        [[nodiscard]] std::optional<double> value() const;
    };
    struct Gpu {
        std::string uuid;
        GpuLoad load;
        std::array<Mean, 4> means;  // decoder, encoder, sm, memory_bus
    };
    std::vector<Gpu> gpus_;
};

// The first of them that the driver does not list any more; none while it lists nothing at all, as before its first reading.
[[nodiscard]] const gpu::Chosen* fallen_away(const std::vector<gpu::Chosen>& gpus,
                                             const std::vector<gpu::Reading>& now);

}  // namespace millrace::bench
