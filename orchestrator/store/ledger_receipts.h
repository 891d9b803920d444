#pragma once
// Receipts against the rows they stand in. Internal to orchestrator/store; throws SQLite's exceptions.
//
// Thread: one at a time.

#include <map>
#include <optional>
#include <string>

#include "common/domain/receipt.h"
#include "orchestrator/store/ledger_chain.h"

namespace SQLite {
class Column;
class Database;
}  // namespace SQLite

namespace millrace::orchestrator::store {

// Nothing when the column holds none.
[[nodiscard]] std::optional<SignerKey> signer_of(const SQLite::Column& column);

class ReceiptJudge {
public:
    // Reads who we are, and with what each transcoder signs.
    explicit ReceiptJudge(SQLite::Database& db);

    // What is wrong with the row's receipt, in words that go on from "its receipt "; nothing = it is right, or
    // there is none.
    [[nodiscard]] std::optional<std::string> problem(const LedgerRow& row) const;

private:
    OrchestratorKey own_;
    std::map<TranscoderKey, SignerKey> signers_;
};

}  // namespace millrace::orchestrator::store
