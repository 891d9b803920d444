#pragma once
// Which transcoder gets a new session: free functions on values. Affinity is not judged here: a
// session that has a slot stays with it (session_table.h).
//
// Rules, in this order
// - Only a transcoder that has a free slot, and room for the session's cost in every dimension it
//   has measured.
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

namespace millrace::orchestrator {

struct Candidate {
    const TranscoderKey* key = nullptr;
    std::uint32_t headroom = 0;  // slots
    Cost capacity;               // 0 = not measured
    Cost load;
    std::uint32_t speed = 0;  // thousandths of real time; 0 = not measured, taken for real time
};

// Index of the best candidate, nothing when none has room.
[[nodiscard]] std::optional<std::size_t> pick(std::span<const Candidate> candidates,
                                              const Cost& need);

[[nodiscard]] bool has_room(const Candidate& candidate, const Cost& need);

// What a session with this ladder needs per second, as far as its request tells: encoded pixels at
// the asked frame rate (30 where the source's is kept), one encoder per rendition, bytes at the
// asked bitrates.
[[nodiscard]] Cost estimate_cost(const Ladder& ladder);

}  // namespace millrace::orchestrator
