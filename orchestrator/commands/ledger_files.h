#pragma once
// Subcommands that read the ledger's files themselves, also of a running orchestrator: what checks it does not
// have to believe it.
//
// Thread: the caller's; blocking.

#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/config/orchestrator_config.h"

namespace millrace::orchestrator::commands {

// 0: everything fits; 65: something does not, named on stderr.
int ledger_verify(const std::string& data_dir, const std::vector<Sha256>& heads, bool json);
// Prints the receipts of a segment, one a line, for `transcoder verify-receipt`. 65: there is none.
int ledger_receipt(const std::string& data_dir, const config::LedgerSegment& segment);

}  // namespace millrace::orchestrator::commands
