#include "orchestrator/store/ledger_chain.h"

#include <array>
#include <span>
#include <string_view>

#include "common/runtime/sha256.h"

namespace millrace::orchestrator::store {
namespace {

class Field {
public:
    explicit Field(std::string_view domain) { text(domain); }

    Field& number(std::int64_t value) {
        std::array<std::uint8_t, 8> bytes{};
        auto rest = static_cast<std::uint64_t>(value);
        for (std::size_t i = bytes.size(); i-- > 0; rest >>= 8)
            bytes[i] = static_cast<std::uint8_t>(rest);
        hasher_.update(bytes);
        return *this;
    }
    Field& text(std::string_view value) {
        number(static_cast<std::int64_t>(value.size()));
        hasher_.update({reinterpret_cast<const std::uint8_t*>(value.data()), value.size()});
        return *this;
    }
    Field& hash(const Sha256& value) {
        hasher_.update(value);
        return *this;
    }
    Field& perhaps(const std::optional<std::string>& value) {
        const std::array<std::uint8_t, 1> there{static_cast<std::uint8_t>(value ? 1 : 0)};
        hasher_.update(there);
        return value ? text(*value) : *this;
    }
    [[nodiscard]] Sha256 finish() { return hasher_.finish(); }

private:
    Sha256Hasher hasher_;
};

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
    return Field("millrace-ledger-row/1")
        .hash(before)
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
        .number(row.committed_ms)
        .perhaps(row.receipt)
        .finish();
}

Sha256 sealed(const Sha256& before, const ClosedPeriod& period) {
    Field fields("millrace-ledger-period/1");
    fields.hash(before)
        .number(period.number)
        .number(period.from.ms)
        .number(period.until.ms)
        .number(period.closed_at.ms)
        .number(period.position)
        .hash(period.chain)
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
    return fields.finish();
}

}  // namespace millrace::orchestrator::store
