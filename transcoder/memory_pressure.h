#pragma once
// MemoryPressure: whether memory is short, of what is left of it and of how long somebody waited for some. Pure.
//
// Rules
// - Short: less than kShort is left, or more than kWaits of the last ten seconds went by waiting.
// - Over: kEnough is left, and hardly anybody waited, for kCalm without a break. Why: what engines give back is itself
//   what makes it look over.
// - What cannot be read says nothing.
//
// Thread: its owner's. Owner: MemoryWatch. Clock: given.

#include <chrono>
#include <optional>

#include "common/base/time.h"

namespace millrace::transcoder {

// Shares from 0 to 1; none: it cannot be read.
struct MemoryReading {
    std::optional<double>
        left;  // of the machine's memory, or of what a control group may have: the least
    std::optional<double> waiting;  // of the last ten seconds, in which somebody waited for memory
};

class MemoryPressure {
public:
    static constexpr double kShort = 0.10;
    static constexpr double kEnough = 0.15;
    static constexpr double kWaits = 0.10;
    static constexpr double kHardlyWaits = 0.02;
    static constexpr Duration kCalm = std::chrono::seconds(10);

    // True when it is another one from now on: ask is_short().
    [[nodiscard]] bool told(const MemoryReading& reading, TimePoint now);
    [[nodiscard]] bool is_short() const { return short_; }

private:
    bool short_ = false;
    std::optional<TimePoint> calm_since_;
};

}  // namespace millrace::transcoder
