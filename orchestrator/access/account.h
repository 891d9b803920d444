#pragma once
// An account: who may push, to which streams, how much. What the store keeps of it; its key is not in here,
// only what a shown key is compared with.
//
// Thread: any; values.

#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/domain/account.h"

namespace millrace::orchestrator {

struct Account {
    AccountId name;      // [A-Za-z0-9._-]{1,64}
    std::string key_id;  // hex; part of the key, says whose it is
    Sha256 key_hash{};
    AccountLimits limits;
    std::vector<std::string> streams;  // names, or prefixes that end in *; none = all
    WallTime created_at;
    bool operator==(const Account&) const = default;
};

inline constexpr std::size_t kStreamPatternsMax = 64;  // of one account

// A stream's name, or a prefix of one and *.
[[nodiscard]] bool valid_stream_pattern(std::string_view pattern);
[[nodiscard]] bool allows(const Account& account, const StreamName& stream);

}  // namespace millrace::orchestrator
