// Receipts: who signs with what, and whether what was signed is what we know.

#include "orchestrator/core/core_impl.h"

namespace millrace::orchestrator {

using Impl = OrchestratorCore::Impl;

// The first key that a transcoder tells is its for ever, and none afterwards is as wrong as another one: else a key
// would vouch for nothing that its holder can change at will. Returns why it may not join.
std::optional<std::string> Impl::take_signer(const TranscoderKey& key,
                                             const std::optional<SignerKey>& told) {
    const auto known = signers_.find(key);
    if (known == signers_.end()) {
        if (told) {
            signers_.emplace(key, *told);
            emit(KeepSigner{key, *told});
        }
        return std::nullopt;
    }
    const std::string as_new = " as a new transcoder, with a data directory of its own";
    if (!told)
        return "it signed its results before and does not any more: an older version has to join" +
               as_new;
    if (*told != known->second)
        return "it signs with another key than before: bring its signing.key back, or join" +
               as_new;
    return std::nullopt;
}

// Built from our own record of the segment, so that a receipt for anything else does not hold.
std::optional<std::string> Impl::take_receipt(const Task& task, Attempt& a, const TaskFinished& m) {
    const auto signer = signers_.find(a.at->key);
    if (signer == signers_.end())
        return std::nullopt;  // of a minor that signs nothing
    if (!m.receipt)
        return "its receipt is missing";
    SignedReceipt receipt{signed_bytes(receipt_of({config_.own_key, a.at->key, signer->second},
                                                  task.segment, m.report, *m.receipt)),
                          m.receipt->signature};
    if (receipt.bytes.size() > kReceiptBytesMax)
        return "its receipt is too long";
    if (!config_.signature_holds(signer->second, receipt.bytes, receipt.signature))
        return "its receipt is not signed for this result";
    a.receipt = std::move(receipt);
    return std::nullopt;
}

}  // namespace millrace::orchestrator
