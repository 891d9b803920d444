#pragma once
// Points in time as people write them: 2026-11-25T04:30:00Z (or +01:00, with or without a fraction),
// 2026-11-25 (midnight, UTC), or 24h (that long before now).
//
// Thread: any; values.

#include <optional>
#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"

namespace millrace::config {

struct Instant {
    std::optional<WallTime> at;  // nothing: `ago` counts
    Duration ago{0};

    [[nodiscard]] WallTime from(WallTime now) const {
        return at ? *at : WallTime{now.ms - to_ms(ago)};
    }
    bool operator==(const Instant&) const = default;
};

[[nodiscard]] Result<Instant> parse_instant(std::string_view text);

}  // namespace millrace::config
