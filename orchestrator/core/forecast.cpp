#include "orchestrator/core/forecast.h"

#include <algorithm>

#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {
namespace {

// Work remembered at full weight; beyond it old and new are halved.
constexpr std::int64_t kRememberedUs = 60'000'000;
constexpr std::int64_t kSpeedMax = 1'000'000;  // thousandths
constexpr std::int64_t kMediaMaxUs = 3'600'000'000;
constexpr std::int64_t kRanMaxUs = 1'000'000'000;

std::int64_t us(Duration d) {
    return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
}

}  // namespace

TimePoint deadline_for(TimePoint accepted, Duration duration, const CoreConfig& config) {
    const Duration d = std::clamp<Duration>(duration, Duration::zero(), kSegmentMax);
    return accepted + std::clamp(3 * d, config.deadline_min, config.deadline_max);
}

std::optional<TimePoint> forecast_running(TimePoint running_since, TimePoint now,
                                          std::int64_t media_done_us, std::int64_t media_total_us) {
    const Duration ran = now - running_since;
    if (ran < kForecastAfter || media_done_us <= 0 || media_total_us <= 0)
        return std::nullopt;
    const std::int64_t total = std::min(media_total_us, kMediaMaxUs);
    const std::int64_t done = std::min(media_done_us, total);
    const std::int64_t left = std::min(us(ran), kRanMaxUs) * (total - done) / done;  // < 2^62
    return now + std::chrono::microseconds(std::min(left, kMediaMaxUs));
}

Duration work_time(Duration media, std::uint32_t speed) {
    return media * 1000 / static_cast<std::int64_t>(speed == 0 ? 1000 : speed);
}

void Speed::add(Duration media, Duration work) {
    media_us_ += std::clamp<std::int64_t>(us(media), 0, kMediaMaxUs);
    work_us_ += std::clamp<std::int64_t>(us(work), 1, kMediaMaxUs);
    while (work_us_ > kRememberedUs) {
        media_us_ /= 2;
        work_us_ /= 2;
    }
}

std::uint32_t Speed::permille() const {
    if (work_us_ == 0)
        return 0;
    return static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(media_us_ * 1000 / work_us_, 1, kSpeedMax));
}

}  // namespace millrace::orchestrator
