#include "orchestrator/commands/ledger_files.h"

#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/base/hex.h"
#include "common/config/exit_code.h"
#include "orchestrator/store/ledger.h"

namespace millrace::orchestrator::commands {
namespace {

int complain(const std::string& sentence) {
    std::fprintf(stderr, "orchestrator: %s\n", sentence.c_str());
    return config::kExitBadInput;
}

}  // namespace

int ledger_verify(const std::string& data_dir, const std::vector<Sha256>& heads, bool json) {
    const auto ledger = store::Ledger::open(data_dir);
    if (!ledger)
        return complain(ledger.error().message);
    const auto check = (*ledger)->verify(heads);
    if (!check)
        return complain(check.error().message);
    const std::string head = to_hex(check->head.chain);
    if (json)
        fmt::print("{}\n", nlohmann::json{{"ok", !check->problem},
                                          {"rows", check->head.rows},
                                          {"periods", check->periods},
                                          {"receipts", check->receipts},
                                          {"head", head},
                                          {"problem", check->problem.value_or("")}}
                               .dump(2));
    if (check->problem)
        return complain("the ledger does not hold: " + *check->problem);
    if (!json)
        fmt::print("{} rows, {} of them signed, {} closed periods: everything fits\nhead {}\n",
                   check->head.rows, check->receipts, check->periods, head);
    return config::kExitDone;
}

int ledger_receipt(const std::string& data_dir, const config::LedgerSegment& segment) {
    const auto ledger = store::Ledger::open(data_dir);
    if (!ledger)
        return complain(ledger.error().message);
    const auto texts = (*ledger)->receipts(SessionId{segment.session}, segment.run, segment.seq);
    if (!texts)
        return complain(texts.error().message);
    for (const std::string& text : *texts)
        fmt::print("{}\n", text);
    return config::kExitDone;
}

}  // namespace millrace::orchestrator::commands
