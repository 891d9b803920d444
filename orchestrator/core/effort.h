#pragma once
// Effort: how much of the CPU a session's pictures take, in thousandths of what its transcoder's prices say. Prices are
// measured with one clip; of real pictures a pixel takes from half to more than twice as much.
//
// Rules
// - A segment tells it where the transcoder has measured prices, says what CPU the segment took, and encoded something.
//   Where GPUs help nothing is told.
// - It rises by half of the way with each segment, and falls as slowly as a mean over kEffortFalls.
//   Why: what a quiet scene leaves over must not be sold: the next scene takes it back, and whoever has a slot keeps it.
// - It counts whole once it is above kEffortTolerated, and not at all between that and 1000.
//   Why: the number of sessions that was measured holds with a tenth to spare, for pictures a little harder than the
//   clip. Without that a session of the clip itself, seen a few percent dearer, would refuse what was promised.
// - A Cost carries it in encode_work, which serves the CPU alone: cpu_of() of it is what the prices say, times effort.
//
// Thread: any; values. Integers only, whatever a peer tells.

#include <cstdint>
#include <optional>

#include "common/base/time.h"
#include "common/domain/capacity.h"
#include "common/domain/segment.h"

namespace millrace::orchestrator {

// Of one session.
class Effort {
public:
    // What a segment that took `video` has shown.
    void add(std::int64_t seen, Duration video);
    [[nodiscard]] std::int64_t permille() const;

private:
    std::int64_t millionths_ = 1'000'000;  // small steps must not be lost
};

// What this segment shows, within kEffortMin and kEffortMax. `cost`: as measured_cost() counts it.
[[nodiscard]] std::optional<std::int64_t> effort_of(const TranscodeReport& report, const Cost& cost,
                                                    const CpuBudget& prices);

// `cost` of a session that takes `permille` of what these prices say. Where there are none, as if all of it was encoding.
[[nodiscard]] Cost with_effort(Cost cost, std::int64_t permille, const CpuBudget& prices);

}  // namespace millrace::orchestrator
