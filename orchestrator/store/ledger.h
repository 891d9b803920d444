#pragma once
// The ledger as others read it: who earned what, in which time.
//
// Rows come from the commits of segments (store.h) and never change. Sums are exact: 64 bits, and a sum that does
// not fit says so instead of wrapping.
//
// Reading is done on a connection of its own: it sees what was committed when it began, and neither waits for the
// writing thread nor keeps it waiting, however long it takes.
//
// Thread: one at a time, any; blocking (a million rows take seconds). Owner: who asks.

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace millrace::orchestrator::store {

struct LedgerTotals {
    std::int64_t segments = 0;
    std::int64_t duration_us = 0;  // of the media, measured
    std::int64_t decoded_frames = 0;
    std::int64_t decoded_pixels = 0;
    std::int64_t encoded_frames = 0;  // all renditions
    std::int64_t encoded_pixels = 0;
    std::int64_t source_bytes = 0;
    std::int64_t encoded_bytes = 0;
    bool operator==(const LedgerTotals&) const = default;

    // False, and nothing is added, when a sum would not fit.
    [[nodiscard]] bool add(const LedgerTotals& more);
};

enum class LedgerBy : std::uint8_t { transcoder, account, session };

// since <= committed < until; nothing = open.
struct LedgerRange {
    std::optional<WallTime> since;
    std::optional<WallTime> until;
};

struct LedgerLine {
    std::string id;    // transcoder: its public key; account; session
    std::string name;  // transcoder: the last name it had in that time; session: its stream
    LedgerTotals totals;
    bool operator==(const LedgerLine&) const = default;
};

struct LedgerSums {
    std::vector<LedgerLine> lines;  // by id
    LedgerTotals total;
};

// One line of a closed period.
struct PeriodLine {
    AccountId account;
    TranscoderKey transcoder;
    std::string transcoder_name;
    LedgerTotals totals;
    bool operator==(const PeriodLine&) const = default;
};

struct ClosedPeriod {
    std::int64_t number = 0;
    WallTime from;  // its rows: from <= committed < until
    WallTime until;
    WallTime closed_at;
    std::int64_t position = 0;      // of its last row, or of the last before it
    Sha256 chain{};                 // that row's
    std::vector<PeriodLine> lines;  // by account, then transcoder
};

// Where the chain ends.
struct LedgerHead {
    std::int64_t rows = 0;
    Sha256 chain{};
    bool operator==(const LedgerHead&) const = default;
};

// What a walk over the whole ledger found.
struct LedgerCheck {
    LedgerHead head;  // as recomputed from the rows
    std::int64_t periods = 0;
    std::int64_t receipts = 0;  // rows that their transcoder signed
    // The first thing that is wrong, and where; nothing = everything fits.
    std::optional<std::string> problem;
};

// More groups than this are refused (overloaded): a shorter time has fewer.
inline constexpr std::size_t kLedgerLinesMax = 100'000;

class Ledger {
public:
    // bad_input, naming --data-dir: there is no ledger, or it is of another version.
    // A question that is on its way ends with `overloaded` soon after `stop` asks for it.
    [[nodiscard]] static Result<std::unique_ptr<Ledger>> open(const std::string& data_dir,
                                                              std::stop_token stop = {});
    ~Ledger();
    Ledger(const Ledger&) = delete;
    Ledger& operator=(const Ledger&) = delete;

    // overloaded: too many lines, or a sum that does not fit; the message says what to do.
    [[nodiscard]] Result<LedgerSums> sums(LedgerBy by, const LedgerRange& range);
    [[nodiscard]] Result<LedgerHead> head();

    // The period that would follow the last one and end at `until`. bad_input: it ends before it begins.
    [[nodiscard]] Result<ClosedPeriod> draft(WallTime until, WallTime now);
    [[nodiscard]] Result<std::vector<ClosedPeriod>> periods();       // the lines are left out
    [[nodiscard]] Result<ClosedPeriod> period(std::int64_t number);  // bad_input: there is none

    // The receipts, as text, of the rows booked for this segment: one for each source that came under the number.
    // bad_input: there is no such row, or none of them was signed.
    [[nodiscard]] Result<std::vector<std::string>> receipts(const SessionId& session,
                                                            std::uint32_t run, std::uint64_t seq);

    // Recomputes the chain, every period's sums and seals, and checks each receipt: signed with the key its
    // transcoder has told, for this orchestrator, and of what the row says (about 0.1 ms each). `heads`: chain values that were
    // published or noted earlier; each has to be a row's.
    [[nodiscard]] Result<LedgerCheck> verify(const std::vector<Sha256>& heads = {});

    struct Impl;  // internal to orchestrator/store

private:
    explicit Ledger(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::orchestrator::store
