#include "orchestrator/store/ledger_chain.h"

#include <array>

#include "common/base/canonical.h"
#include "common/runtime/sha256.h"

namespace millrace::orchestrator::store {
namespace {

Sha256 hash_of(const CanonicalWriter& fields) {
    const std::string& bytes = fields.bytes();
    return sha256_of({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

// 1 and the text, or 0.
void put(CanonicalWriter& out, const std::optional<std::string>& text) {
    const std::array<std::uint8_t, 1> there{static_cast<std::uint8_t>(text ? 1 : 0)};
    out.raw(there);
    if (text)
        out.text(*text);
}

}  // namespace

bool LedgerTotals::add(const LedgerTotals& more) {
    LedgerTotals sum;
    const bool wrapped =
        __builtin_add_overflow(segments, more.segments, &sum.segments) ||
        __builtin_add_overflow(duration_us, more.duration_us, &sum.duration_us) ||
        __builtin_add_overflow(decoded_frames, more.decoded_frames, &sum.decoded_frames) ||
        __builtin_add_overflow(decoded_pixels, more.decoded_pixels, &sum.decoded_pixels) ||
        __builtin_add_overflow(encoded_frames, more.encoded_frames, &sum.encoded_frames) ||
        __builtin_add_overflow(encoded_pixels, more.encoded_pixels, &sum.encoded_pixels) ||
        __builtin_add_overflow(source_bytes, more.source_bytes, &sum.source_bytes) ||
        __builtin_add_overflow(encoded_bytes, more.encoded_bytes, &sum.encoded_bytes);
    if (wrapped)
        return false;
    *this = sum;
    return true;
}

LedgerTotals totals_of(const LedgerRow& row) {
    return {1,
            row.duration_us,
            row.decoded_frames,
            row.decoded_pixels,
            row.encoded_frames,
            row.encoded_pixels,
            row.source_bytes,
            row.encoded_bytes};
}

Sha256 chained(const Sha256& before, const LedgerRow& row) {
    CanonicalWriter fields("millrace-ledger-row/1");
    fields.raw(before)
        .number(row.position)
        .text(row.session)
        .number(row.run)
        .number(row.seq)
        .text(row.sha256)
        .text(row.account)
        .text(row.transcoder)
        .text(row.transcoder_name)
        .number(row.source_bytes)
        .number(row.duration_us)
        .number(row.decoded_frames)
        .number(row.decoded_pixels)
        .number(row.encoded_frames)
        .number(row.encoded_pixels)
        .number(row.encoded_bytes)
        .text(row.renditions)
        .number(row.committed_ms);
    put(fields, row.receipt);
    return hash_of(fields);
}

Sha256 sealed(const Sha256& before, const ClosedPeriod& period) {
    CanonicalWriter fields("millrace-ledger-period/1");
    fields.raw(before)
        .number(period.number)
        .number(period.from.ms)
        .number(period.until.ms)
        .number(period.closed_at.ms)
        .number(period.position)
        .raw(period.chain)
        .number(static_cast<std::int64_t>(period.lines.size()));
    for (const PeriodLine& line : period.lines)
        fields.text(line.account.value)
            .text(line.transcoder.value)
            .text(line.transcoder_name)
            .number(line.totals.segments)
            .number(line.totals.duration_us)
            .number(line.totals.decoded_frames)
            .number(line.totals.decoded_pixels)
            .number(line.totals.encoded_frames)
            .number(line.totals.encoded_pixels)
            .number(line.totals.source_bytes)
            .number(line.totals.encoded_bytes);
    return hash_of(fields);
}

}  // namespace millrace::orchestrator::store
