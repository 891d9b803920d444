#include "orchestrator/store/ledger_receipts.h"

#include <algorithm>
#include <chrono>

#include <SQLiteCpp/SQLiteCpp.h>

#include "common/net/keys.h"
#include "common/net/signing.h"
#include "orchestrator/store/ledger_impl.h"
#include "orchestrator/store/rows.h"

namespace millrace::orchestrator::store {
namespace {

// What the ledger would keep of it.
TranscodeReport report_of(const Receipt& receipt) {
    TranscodeReport report;
    report.source.frames = receipt.decoded_frames;
    report.source.pixels = receipt.decoded_pixels;
    report.source.duration = receipt.duration;
    for (const ReceiptRendition& r : receipt.renditions) {
        RenditionReport rendition;
        rendition.name = r.name;
        rendition.size = r.size;
        rendition.frames = r.frames;
        rendition.pixels = r.pixels;
        rendition.bytes = static_cast<std::uint64_t>(r.bytes);
        report.renditions.push_back(std::move(rendition));
    }
    return report;
}

bool same_segment(const SegmentKey& segment, const LedgerRow& row) {
    return segment.session.value == row.session &&
           static_cast<std::int64_t>(segment.run) == row.run &&
           static_cast<std::int64_t>(segment.seq) == row.seq &&
           std::string(segment.sha256.begin(), segment.sha256.end()) == row.sha256;
}

bool same_work(const Receipt& receipt, const LedgerRow& row) {
    const TranscodeReport report = report_of(receipt);
    const RenditionTotals totals = totals_of(report);
    return receipt.decoded_frames == row.decoded_frames &&
           receipt.decoded_pixels == row.decoded_pixels &&
           std::chrono::duration_cast<std::chrono::microseconds>(receipt.duration).count() ==
               row.duration_us &&
           totals.frames == row.encoded_frames && totals.pixels == row.encoded_pixels &&
           totals.bytes == row.encoded_bytes && renditions_json(report) == row.renditions;
}

}  // namespace

std::optional<SignerKey> signer_of(const SQLite::Column& column) {
    SignerKey signer;
    const std::string bytes = column.isNull() ? std::string() : column.getString();
    if (bytes.size() != signer.bytes.size())
        return std::nullopt;
    std::copy(bytes.begin(), bytes.end(), signer.bytes.begin());
    return signer;
}

ReceiptJudge::ReceiptJudge(SQLite::Database& db) {
    SQLite::Statement own(
        db, "SELECT value FROM secrets WHERE name = 'curve' ORDER BY key_id DESC LIMIT 1");
    if (own.executeStep())
        if (const auto key = net::public_key_from_z85(own.getColumn(0).getString()))
            own_.value = net::key_pair_of(net::SecretKey(key->bytes)).public_key.z85();
    SQLite::Statement signers(db, "SELECT key, signer FROM enrolments WHERE signer IS NOT NULL");
    while (signers.executeStep())
        if (const auto signer = signer_of(signers.getColumn(1)))
            signers_[TranscoderKey{signers.getColumn(0).getString()}] = *signer;
}

std::optional<std::string> ReceiptJudge::problem(const LedgerRow& row) const {
    if (!row.receipt)
        return std::nullopt;
    const auto kept = from_stored_form(*row.receipt);
    const auto receipt = kept ? receipt_from(kept->bytes) : std::nullopt;
    if (!receipt)
        return "cannot be read";
    if (receipt->parties.orchestrator != own_)
        return "is another orchestrator's";
    const auto signer = signers_.find(TranscoderKey{row.transcoder});
    if (receipt->parties.transcoder.value != row.transcoder || signer == signers_.end() ||
        receipt->parties.signer != signer->second)
        return "is not its transcoder's";
    if (!net::signature_holds(signer->second, kept->bytes, kept->signature))
        return "has a signature that does not hold";
    if (!same_segment(receipt->segment, row))
        return "is for another segment";
    if (!same_work(*receipt, row))
        return "says other figures than the row";
    return std::nullopt;
}

Result<std::vector<std::string>> Ledger::receipts(const SessionId& session, std::uint32_t run,
                                                  std::uint64_t seq) {
    return impl_->ask<std::vector<std::string>>([&] {
        SQLite::Statement rows(*impl_->db,
                               "SELECT receipt FROM segments WHERE session = ? AND run = ? AND "
                               "seq = ? ORDER BY position");
        rows.bind(1, session.value);
        rows.bind(2, static_cast<std::int64_t>(run));
        rows.bind(3, static_cast<std::int64_t>(seq));
        std::vector<std::string> texts;
        bool booked = false;
        for (; rows.executeStep(); booked = true)
            if (!rows.getColumn(0).isNull())
                if (const auto kept = from_stored_form(rows.getColumn(0).getString()))
                    texts.push_back(to_text(*kept));
        if (texts.empty())
            throw Refused{error(ErrorKind::bad_input,
                                booked ? "its transcoder signed no receipt for this segment"
                                       : "no such segment is booked")};
        return texts;
    });
}

}  // namespace millrace::orchestrator::store
