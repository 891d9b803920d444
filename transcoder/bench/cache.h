#pragma once
// What `--max-sessions auto` measured, kept so that it is measured once for each machine: JSON with the facts that it
// holds for. Anything else in the file, or other facts, is nothing known; never an error. Pure.
//
// Thread: any.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/domain/capacity.h"

namespace millrace::bench {

// What a measurement holds for: other hardware or software measures anew.
struct MachineFacts {
    std::string cpu;                // model
    double cores = 0;               // that this process may use
    std::string driver;             // of GPUs; empty: none is used
    std::vector<std::string> gpus;  // that sessions have, as gpu::fingerprint()
    std::string version;            // ours
    std::string ffmpeg;
    bool sanitized = false;
    bool operator==(const MachineFacts&) const = default;
};

struct Measured {
    std::uint32_t sessions = 0;  // 1..kSlotsMax
    Capacity capacity;
    bool operator==(const Measured&) const = default;
};

[[nodiscard]] std::string to_cache(const MachineFacts& facts, const Measured& measured);
[[nodiscard]] std::optional<Measured> from_cache(std::string_view text, const MachineFacts& facts);

}  // namespace millrace::bench
