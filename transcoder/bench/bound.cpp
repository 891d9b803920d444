#include "transcoder/bench/bound.h"

#include <algorithm>
#include <array>

namespace millrace::bench {
namespace {

// The CPU is the limit when we use that much of what we may, or the machine has no more than that left.
constexpr double kBusy = 0.7;
constexpr double kIdleMin = 0.2;

struct Unit {
    Bound bound;
    std::optional<double> GpuLoad::*share;
};
// The one that says most first.
constexpr std::array<Unit, 5> kUnits{{{Bound::nvdec, &GpuLoad::decoder},
                                      {Bound::nvenc, &GpuLoad::encoder},
                                      {Bound::gpu_memory, &GpuLoad::memory_taken},
                                      {Bound::gpu_memory_bus, &GpuLoad::memory_bus},
                                      {Bound::sm, &GpuLoad::sm}}};

std::optional<Binding> used_up_on_gpus(const Step& step) {
    for (const Unit& unit : kUnits)
        for (const GpuLoad& load : step.gpus)
            if (const auto share = load.*unit.share; share.value_or(0) >= kUsedUp)
                return Binding{unit.bound, load.index, *share};
    return std::nullopt;
}

}  // namespace

std::string_view to_string(Bound bound) {
    static constexpr std::array<std::string_view, 11> kNames{
        "cpu",   "one_thread",       "memory",     "limit",          "gpu_limit", "nvdec",
        "nvenc", "encoder_sessions", "gpu_memory", "gpu_memory_bus", "sm"};
    return kNames.at(static_cast<std::size_t>(bound));
}

Binding what_was_short(const Step& failed) {
    if (failed.stages.by(EncodedBy::refused) > 0)
        return {Bound::encoder_sessions, {}, 0};
    // Whoever else uses the machine's cores leaves us less.
    const double used = std::max(failed.cpu_share, 1 - failed.idle_share);
    if (used >= kUsedUp)
        return {Bound::cpu, {}, used};
    if (const auto binding = used_up_on_gpus(failed))
        return *binding;
    if (failed.cpu_share >= kBusy || failed.idle_share <= kIdleMin)
        return {Bound::cpu, {}, used};
    return {Bound::one_thread, {}, used};
}

Ceiling least(std::uint32_t slots, std::optional<std::uint64_t> by_memory,
              std::optional<std::uint32_t> by_gpus) {
    Ceiling ceiling{std::max(slots, 1U), Bound::limit};
    if (by_gpus && *by_gpus <= ceiling.sessions)
        ceiling = {std::max(*by_gpus, 1U), Bound::gpu_limit};
    if (by_memory && *by_memory < ceiling.sessions)
        ceiling = {static_cast<std::uint32_t>(std::max<std::uint64_t>(*by_memory, 1)),
                   Bound::memory};
    return ceiling;
}

}  // namespace millrace::bench
