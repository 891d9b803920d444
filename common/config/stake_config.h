#pragma once
// The flags of stake (contract.md, section 1). Internal to common/config but for the values.
//
// Thread: any; values.

#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/config/options.h"
#include "common/domain/lpt.h"

namespace millrace::config {

enum class StakeKind : std::uint8_t { none, file, ethereum };

struct StakeConfig {
    StakeKind kind = StakeKind::none;
    std::string path;  // of kind file
    Lpt per_session;   // zero = stake only decides active or not
    Duration grace = std::chrono::minutes(10);
    Duration interval = std::chrono::seconds(30);  // of kind ethereum
    std::vector<std::string> eth_urls;
    std::string eth_controller;  // empty = Arbitrum One's
    std::string eth_orch_addr;
};

// Both keep a reference to `stake`.
void add_stake_flags(std::vector<Flag>& flags, StakeConfig& stake);
void check_stake(const StakeConfig& stake, const Given& given, std::vector<Mistake>& mistakes);

}  // namespace millrace::config
