#pragma once
// Bounds on one segment (contract.md, section 2), as the engine counts them. All inclusive.
//
// Thread: any; values.

#include <cstdint>

#include "common/base/time.h"
#include "common/domain/rendition.h"

namespace millrace {

struct SegmentLimits {
    std::uint64_t body_bytes = 32ULL * 1024 * 1024;
    Duration duration = std::chrono::seconds(60);
    std::int64_t frames = 4000;  // decoded, and encoded in each rendition
    Size picture{4096, 2304};    // either way round
    std::int32_t streams = 8;
    std::uint32_t renditions = kRenditionsMax;
    std::uint64_t output_bytes = 64ULL * 1024 * 1024;  // of each rendition
    bool operator==(const SegmentLimits&) const = default;
};

}  // namespace millrace
