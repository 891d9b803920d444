#pragma once
// What subcommands know of the admin API: one request, one JSON answer, and the exit code when there is none.
//
// Thread: the caller's; blocking. Owner: a subcommand.

#include <string>
#include <variant>

#include <nlohmann/json_fwd.hpp>

#include "common/base/time.h"

namespace millrace::orchestrator::commands {

struct AdminTarget {
    std::string address;  // HOST:PORT of the admin API
    std::string token;    // empty = not found
    bool json = false;    // print the answer as it came
    Duration patience = std::chrono::seconds(10);
};

// Asks; prints what is wrong to stderr itself. A value, or the exit code of contract.md section 1.
[[nodiscard]] std::variant<nlohmann::json, int> ask(const AdminTarget& target,
                                                    const std::string& method,
                                                    const std::string& path,
                                                    const nlohmann::json& body);

}  // namespace millrace::orchestrator::commands
