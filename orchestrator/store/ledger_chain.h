#pragma once
// The chain of the ledger: what makes a changed, moved or missing row show. Pure.
//
//   chain(0) = 32 zero bytes
//   chain(n) = SHA-256("millrace-ledger-row/1", chain(n - 1), every field of row n in the order below)
//
// Written as common/base/canonical.h says, hashes of fixed length raw; a receipt comes behind one byte, 1, or is the
// byte 0. A period's seal covers its fields and totals the same way
// under "millrace-ledger-period/1", and the seal of the period before it (32 zero bytes before the first).
//
// Thread: any. Internal to orchestrator/store.

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/ids.h"
#include "orchestrator/store/ledger.h"

namespace millrace::orchestrator::store {

// A row as it is stored.
struct LedgerRow {
    std::int64_t position = 0;
    std::string session;
    std::int64_t run = 0;
    std::int64_t seq = 0;
    std::string sha256;  // bytes
    std::string account;
    std::string transcoder;
    std::string transcoder_name;
    std::int64_t source_bytes = 0;
    std::int64_t duration_us = 0;
    std::int64_t decoded_frames = 0;
    std::int64_t decoded_pixels = 0;
    std::int64_t encoded_frames = 0;
    std::int64_t encoded_pixels = 0;
    std::int64_t encoded_bytes = 0;
    std::string renditions;
    std::int64_t committed_ms = 0;
    std::optional<std::string> receipt;  // bytes
};

[[nodiscard]] Sha256 chained(const Sha256& before, const LedgerRow& row);

[[nodiscard]] Sha256 sealed(const Sha256& before, const ClosedPeriod& period);

// What the row adds to the sums.
[[nodiscard]] LedgerTotals totals_of(const LedgerRow& row);

}  // namespace millrace::orchestrator::store
