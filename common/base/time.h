#pragma once
// Time as cores see it: an argument, on a monotonic scale, never read from a clock in here.
//
// The type is std::chrono's steady clock's so that shells can hand over what they read; tests and
// the simulator count from TimePoint{}. Wall time appears only in logs, tokens and stored rows.

#include <chrono>
#include <cstdint>

namespace millrace {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// Wall-clock time, milliseconds since the Unix epoch. For people, tokens and rows, not for
// decisions.
struct WallTime {
    std::int64_t ms = 0;
    auto operator<=>(const WallTime&) const = default;
};

[[nodiscard]] constexpr std::int64_t to_ms(Duration d) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}
[[nodiscard]] constexpr double to_seconds(Duration d) {
    return std::chrono::duration<double>(d).count();
}

}  // namespace millrace
