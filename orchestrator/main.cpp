// The orchestrator's program: reads its configuration and either serves or asks a running one something.

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "common/base/hex.h"
#include "common/config/exit_code.h"
#include "common/config/orchestrator_config.h"
#include "common/runtime/inherited_sockets.h"
#include "common/runtime/log.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/commands/ledger_files.h"
#include "orchestrator/commands/target.h"
#include "orchestrator/serve.h"
#include "orchestrator/store/backup.h"

namespace {

using millrace::config::HandedSockets;
using millrace::config::OrchestratorCommand;
using millrace::config::OrchestratorConfig;
namespace commands = millrace::orchestrator::commands;

int back_up(const OrchestratorConfig& config) {
    const auto done = millrace::orchestrator::store::back_up(config.data_dir, config.target);
    if (done)
        return millrace::config::kExitDone;
    std::fprintf(stderr, "orchestrator: %s\n", done.error().message.c_str());
    return millrace::config::kExitBadInput;  // the message names the flag or the file
}

// Reads the files: what checks a daemon must not have to believe it.
int verify_ledger(const OrchestratorConfig& config) {
    std::vector<millrace::Sha256> heads;
    for (const std::string& head : config.ledger.heads)
        heads.push_back(*millrace::sha256_from_hex(head));
    return commands::ledger_verify(config.data_dir, heads, config.json);
}

int run_subcommand(const OrchestratorConfig& config) {
    const auto target = commands::find_target(config);
    switch (config.command) {
        case OrchestratorCommand::serve:
            return millrace::orchestrator::serve(config);
        case OrchestratorCommand::status:
            return commands::status(target);
        case OrchestratorCommand::sessions:
            return commands::sessions(target);
        case OrchestratorCommand::transcoders:
            return commands::transcoders(target);
        case OrchestratorCommand::drain:
            return commands::transcoder(target, config.target, "drain");
        case OrchestratorCommand::cordon:
            return commands::transcoder(target, config.target, "cordon");
        case OrchestratorCommand::uncordon:
            return commands::transcoder(target, config.target, "uncordon");
        case OrchestratorCommand::max_sessions:
            return commands::max_sessions(
                target, config.max_sessions ? std::to_string(*config.max_sessions) : "auto");
        case OrchestratorCommand::session_end:
            return commands::end_session(target, config.target);
        case OrchestratorCommand::join_token_create:
            return commands::join_token(target, config.token_ttl, config.token_once);
        case OrchestratorCommand::join_token_list:
            return commands::join_token_list(target);
        case OrchestratorCommand::join_token_revoke:
            return commands::join_token_revoke(target, config.target);
        case OrchestratorCommand::stake:
            return commands::stake(target);
        case OrchestratorCommand::account_add:
            return commands::account_add(target, config.target, config.account_limits(),
                                         config.account_streams);
        case OrchestratorCommand::account_list:
            return commands::account_list(target);
        case OrchestratorCommand::account_remove:
            return commands::account_remove(target, config.target);
        case OrchestratorCommand::token_key_list:
            return commands::token_key_list(target);
        case OrchestratorCommand::token_key_rotate:
            return commands::token_key_rotate(target);
        case OrchestratorCommand::backup:
            return back_up(config);
        case OrchestratorCommand::ledger:
            return commands::ledger(target, config.ledger);
        case OrchestratorCommand::ledger_close:
            return commands::ledger_close(target, config.ledger.until);
        case OrchestratorCommand::ledger_periods:
            return commands::ledger_periods(target);
        case OrchestratorCommand::ledger_verify:
            return verify_ledger(config);
        case OrchestratorCommand::trace:
            return commands::trace(target, config.target, config.seq);
        case OrchestratorCommand::ledger_receipt:
            return commands::ledger_receipt(config.data_dir, config.ledger.segment);
    }
    return millrace::config::kExitUsage;
}

// Sockets that the service manager has bound for us.
millrace::Result<HandedSockets> handed_sockets() {
    static constexpr std::array<std::string_view, 3> kNames{"service", "link", "payload"};
    const auto taken = millrace::take_inherited_sockets(kNames);
    if (!taken)
        return taken.error();
    HandedSockets handed;
    for (const auto& socket : *taken) {
        auto& place = socket.name == kNames[0]   ? handed.service
                      : socket.name == kNames[1] ? handed.link
                                                 : handed.payload;
        place = {socket.fd, {socket.host, socket.port}};
    }
    return handed;
}

}  // namespace

int main(int argc, char** argv) {
    auto handed = handed_sockets();
    if (!handed)
        return millrace::config::finish_without_running(
            millrace::config::kExitConfig, "orchestrator: " + handed.error().message + "\n");
    const auto setup = millrace::config::read_orchestrator_config(
        millrace::config::invocation_of(argc, argv), std::move(*handed));
    if (!setup.config)
        return millrace::config::finish_without_running(setup.exit_code, setup.text);
    millrace::log::configure(setup.config->log);
    return run_subcommand(*setup.config);
}
