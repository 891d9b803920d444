#pragma once
// The wall clock, for people, tokens and rows. Decisions use the loop's steady time.
//
// Thread: any.

#include <chrono>

#include "common/base/time.h"

namespace millrace {

[[nodiscard]] inline WallTime wall_now() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::milliseconds>(since).count()};
}

}  // namespace millrace
