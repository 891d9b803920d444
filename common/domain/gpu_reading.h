#pragma once
// A GPU of a transcoder as it is now, for operators who look at the orchestrator.
//
// Thread: any; values.

#include <cstdint>
#include <string>

namespace millrace {

struct GpuReading {
    static constexpr std::int32_t kNotTold = -1;

    std::uint32_t index = 0;  // on its machine
    std::string name;
    std::uint32_t sessions = 0;
    std::uint64_t failures = 0;  // since start
    std::string quarantine;      // why it takes no sessions; empty: it does
    // Share of the time in which a unit was at work.
    std::int32_t sm_permille = kNotTold;
    std::int32_t decoder_permille = kNotTold;
    std::int32_t encoder_permille = kNotTold;
    std::uint64_t memory_used = 0;   // bytes
    std::uint64_t memory_total = 0;  // bytes; 0: not told
    std::int32_t celsius = kNotTold;
    bool operator==(const GpuReading&) const = default;
};

}  // namespace millrace
