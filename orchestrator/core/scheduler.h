#pragma once
// Which transcoder gets a new session: free functions on values. Affinity is not judged here: a
// session that has a slot stays with it (session_table.h).
//
// Rules, in this order
// - Only a transcoder that has a free slot, and room for the session's cost in every dimension it
//   has measured. Decoding, scaling and encoding share one CPU, each at the transcoder's own price.
//     Why: one session of 4K takes what twenty of 360p take; slots alone would not see it.
// - More headroom in cost wins: the share that is left of the scarcest measured dimension. A
//   transcoder that has measured nothing counts as empty.
// - One that was measured slower than real time loses to all others.
//     Why: speed matters where it is missing. Ranked any finer, whichever machine was measured first
//     or happens to be a little faster would get every session until it is full.
// - More free slots win, then the smaller key.
//     Why: ties must not depend on memory or arrival, so that a run can be replayed.
//
// Thread: any; values. Integers only. Cost: O(candidates).

#include <cstdint>
#include <optional>
#include <span>

#include "common/base/ids.h"
#include "common/domain/capacity.h"
#include "common/domain/segment.h"

namespace millrace::orchestrator {

struct Candidate {
    const TranscoderKey* key = nullptr;
    std::uint32_t headroom = 0;  // slots
    Capacity capacity;
    Cost load;
    std::uint32_t speed = 0;  // thousandths of real time; 0 = not measured, taken for real time
};

// Index of the best candidate, nothing when none has room.
[[nodiscard]] std::optional<std::size_t> pick(std::span<const Candidate> candidates,
                                              const Cost& need);

// How many sessions of that cost the candidate takes: free slots, as far as the cost that is left
// lasts for them; one, whatever it costs, where nobody is yet.
[[nodiscard]] std::uint32_t places(const Candidate& candidate, const Cost& need);
[[nodiscard]] bool has_room(const Candidate& candidate, const Cost& need);

// What a session with this ladder needs per second, as far as its request tells: encoded pixels at
// the asked frame rate (30 where the source's is kept), one encoder per rendition, bytes at the
// asked bitrates; a source that is as large as its largest rendition. What an encoder takes for a pixel
// is known by codec and preset (encode_effort()).
[[nodiscard]] Cost estimate_cost(const Ladder& ladder);

// The same as a segment of it turned out to be. Nothing for one that does not tell: without video,
// or shorter than kCostMeasuredMin. `ladder`: what was asked for. `source_bytes`: of the segment as it came.
[[nodiscard]] std::optional<Cost> measured_cost(const TranscodeReport& report, const Ladder& ladder,
                                                std::uint64_t source_bytes);

}  // namespace millrace::orchestrator
