#include "orchestrator/core/effort.h"

#include <algorithm>

#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {
namespace {

constexpr std::int64_t kWhole = 1000;
constexpr std::int64_t kFine = 1000;  // of a thousandth
// Keep products below 2^63, whatever anybody claims.
constexpr std::int64_t kCpuMaxUs = 3'600'000'000;        // of a segment
constexpr std::int64_t kCpuMax = 1'000'000'000'000'000;  // ps/s: a thousand cores
constexpr std::int64_t kWorkMax = 1'000'000'000'000;     // pixels/s
// From us of CPU in ms of video to ps/s.
constexpr std::int64_t kPsPerSecond = 1'000'000'000;

std::int64_t predicted(const Cost& cost, const CpuBudget& prices) {
    return std::min(cpu_of(cost, prices), kCpuMax);
}

}  // namespace

void Effort::add(std::int64_t seen, Duration video) {
    const std::int64_t there = std::clamp(seen, kEffortMin, kEffortMax) * kFine;
    const std::int64_t way = there - millionths_;
    const std::int64_t ms = std::clamp<std::int64_t>(to_ms(video), 0, to_ms(kEffortFalls));
    millionths_ += way > 0 ? way / 2 : way * ms / to_ms(kEffortFalls);
}

std::int64_t Effort::permille() const {
    return millionths_ / kFine;
}

std::optional<std::int64_t> effort_of(const TranscodeReport& report, const Cost& cost,
                                      const CpuBudget& prices) {
    const std::int64_t ms = to_ms(report.source.duration);
    const std::int64_t each = predicted(cost, prices) / kWhole;
    if (report.cpu_us <= 0 || ms <= 0 || each <= 0 || prices.available <= 0 || prices.encode <= 0 ||
        cost.encode_work <= 0)
        return std::nullopt;
    const std::int64_t taken = std::min(report.cpu_us, kCpuMaxUs) * kPsPerSecond / ms;  // ps/s
    return std::clamp(taken / each, kEffortMin, kEffortMax);
}

Cost with_effort(Cost cost, std::int64_t permille, const CpuBudget& prices) {
    const std::int64_t effort = std::clamp(permille, kEffortMin, kEffortMax);
    if ((effort >= kWhole && effort <= kEffortTolerated) || cost.encode_work <= 0)
        return cost;
    const std::int64_t work = std::min(cost.encode_work, kWorkMax);
    const std::int64_t more =
        prices.available > 0 && prices.encode > 0
            ? predicted(cost, prices) / kWhole * (effort - kWhole) / prices.encode
            : work / kWhole * (effort - kWhole);
    // 0 would read as not told: completed().
    cost.encode_work = std::clamp<std::int64_t>(work + more, 1, kWorkMax);
    return cost;
}

}  // namespace millrace::orchestrator
