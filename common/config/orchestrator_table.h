#pragma once
// The flags of every command of the orchestrator, and what is checked once they are read. Internal to
// common/config: orchestrator_config.cpp has `serve`, orchestrator_commands.cpp the subcommands.

#include <string>
#include <vector>

#include "common/config/common_flags.h"
#include "common/config/orchestrator_config.h"

namespace millrace::config {

using Mistakes = std::vector<Mistake>;

[[nodiscard]] Result<CountOrAuto> operator_limit(const std::string& text);

// Everything is bound to one configuration and to what only the checks need.
struct Table {
    OrchestratorConfig config;
    std::string default_dir;

    void add_addresses(std::vector<Flag>& flags);
    void add_work(std::vector<Flag>& flags);
    void add_limits(std::vector<Flag>& flags);
    void add_admin_client(std::vector<Flag>& flags);
    void add_admin_addr(std::vector<Flag>& flags);
    void add_data_dir(std::vector<Flag>& flags);
    void check_handed();
    void check_serve(const Given& given, Mistakes& mistakes);
    void check_all(const Given& given, Mistakes& mistakes);
    Command serve();
    Command client(std::string name, std::string help);
    Command client_with_target(std::string name, std::string help, std::string what);
    Command max_sessions();
    Command join_token();
    Command backup();
    Command account_add();
    Command trace();
    Command ledger();
    Command ledger_close();
    Command ledger_verify();
    Command ledger_receipt();
    Program program();
};

}  // namespace millrace::config
