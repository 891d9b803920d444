#pragma once
// `transcoder verify-receipt`: is it signed, by whom, and what does it attest? Needs no orchestrator and no network.
//
// Thread: the caller's.

#include <optional>
#include <string>

#include "common/domain/receipt.h"

namespace millrace::transcoder {

struct VerifyReceiptOptions {
    std::string file;                   // with receipts as text, blanks between them; - = stdin
    std::optional<SignerKey> expected;  // the key they have to be signed with
    std::string data_dir;               // else that of the transcoder in here; empty = any key
    bool json = false;                  // one JSON document a line on stdout; else sentences
};

// 0: every one holds; 64: the file or the key cannot be read; 65: one of them does not hold, or there is none.
[[nodiscard]] int run_verify_receipt(const VerifyReceiptOptions& options);

}  // namespace millrace::transcoder
