#pragma once
// What becomes of a task whose attempt ended without a result: one table over ErrorKind, a budget
// and a pause.
//
// Rules
// - bad_input is the segment's fault: it is never tried again.
// - unsupported may work elsewhere, never at the same transcoder.
// - Everything else is tried elsewhere, or again where nothing else is.
// - Retries and hedges draw on budgets that dispatches fill: when every transcoder fails, the load
//   rises by a bounded share and no further.
//
// Thread: any; values. Clock: none.

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "orchestrator/core/effects.h"

namespace millrace::orchestrator {

enum class Reaction : std::uint8_t { give_up, elsewhere, elsewhere_or_again };

[[nodiscard]] Reaction reaction(ErrorKind kind);

// Pause before the n-th turn (from 1) of a task at a transcoder that turned it away unstarted.
[[nodiscard]] Duration retry_pause(std::uint32_t n);

// What the broadcaster is told when it is over; `last`: what the last attempt ended with.
[[nodiscard]] Refusal attempts_used_up(const std::string& last);
[[nodiscard]] Refusal nobody_else_can(const std::string& last);

// A token bucket in thousandths: each dispatch adds a share, each use takes a whole one.
class Budget {
public:
    // `share`: thousandths of a use that one dispatch adds. Starts with `start` uses.
    Budget(std::int64_t share, std::int64_t start) : share_(share), tokens_(start * kUse) {}

    void dispatched() { tokens_ += share_; }
    // Takes one use; what was saved beyond `burst` uses is forfeited first.
    [[nodiscard]] bool take(std::int64_t burst);
    void give_back() { tokens_ += kUse; }

private:
    static constexpr std::int64_t kUse = 1000;
    std::int64_t share_;
    std::int64_t tokens_;
};

}  // namespace millrace::orchestrator
