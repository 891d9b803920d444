#pragma once
// What an account may use at most (contract.md, section 4: QuotaExceeded). Nothing = no limit of its own.
//
// Thread: any; values.

#include <cstdint>
#include <optional>

namespace millrace {

struct AccountLimits {
    std::optional<std::uint32_t> sessions;             // open at once
    std::optional<std::uint64_t> segments_per_minute;  // accepted
    std::optional<std::uint64_t> bytes_per_second;     // of accepted segments' sources
    std::optional<std::uint64_t> pixels_per_second;    // encoded, over all renditions, as booked
    bool operator==(const AccountLimits&) const = default;
};

// The largest rate that can be asked for, in each unit.
inline constexpr std::uint64_t kAccountRateMax = 1'000'000'000'000;

}  // namespace millrace
