#pragma once
// When a task must be done, and when an attempt will be: arithmetic on times.
//
// Thread: any; values. Integers only.

#include <cstdint>
#include <optional>

#include "common/base/time.h"
#include "orchestrator/core/orchestrator_core.h"

namespace millrace::orchestrator {

// accepted + clamp(3d, 4 s, 30 s) (contract.md section 2). `duration` is clamped to what a segment
// may last.
[[nodiscard]] TimePoint deadline_for(TimePoint accepted, Duration duration,
                                     const CoreConfig& config);

// When an attempt that runs since `running_since` ends, at the pace it had so far. Nothing before
// kForecastAfter of running, or before anything is done.
[[nodiscard]] std::optional<TimePoint> forecast_running(TimePoint running_since, TimePoint now,
                                                        std::int64_t media_done_us,
                                                        std::int64_t media_total_us);

// How long a transcoder of this speed (thousandths of real time; 0 = unmeasured, taken for real
// time) works on a segment.
[[nodiscard]] Duration work_time(Duration media, std::uint32_t speed);

// Recent speed of a transcoder or a session: media time over working time, older work fading.
class Speed {
public:
    void add(Duration media, Duration work);
    // Thousandths of real time; 0 = nothing measured yet.
    [[nodiscard]] std::uint32_t permille() const;

private:
    std::int64_t media_us_ = 0;
    std::int64_t work_us_ = 0;
};

}  // namespace millrace::orchestrator
