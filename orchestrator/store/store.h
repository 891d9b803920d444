#pragma once
// Store: what survives a restart. SQLite for one orchestrator; the interface is what PostgreSQL can serve
// later (design.md, section 6).
//
// Promises
// - open() is exclusive per data directory and raises the epoch durably before it returns.
// - A callback with success means: synchronised to disk. Callbacks come in the order of their calls, through
//   the executor that open() was given, never inside the call.
// - A committed segment is booked once per (session, run, seq, SHA-256): a repeat is success and books nothing.
// - Rows of the ledger are never changed or removed; their times never fall, so that periods can be closed.
// - Each commit, repeats as well, counts on its stream in the same transaction: playlists go on from there.
// - When the disk is full or fails nothing is acknowledged; available() turns false, and true again after a
//   successful probe (never after an I/O error: then the process has to be started again).
//
// Thread: calls from the loop thread; the writing is done on the store's own thread. available() from any.
// Owner: main; destroyed after everybody who calls it.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/domain/segment.h"
#include "orchestrator/access/account.h"
#include "orchestrator/core/orchestrator_core.h"
#include "orchestrator/core/stake_policy.h"
#include "orchestrator/store/ledger.h"

namespace millrace::orchestrator::store {

struct JoinTokenRow {
    std::string id;             // hex
    std::string enrolment_key;  // public half, Z85
    WallTime created_at;
    WallTime expires_at;  // ms 0 = never
    bool once = false;
    bool revoked = false;
    bool operator==(const JoinTokenRow&) const = default;
};

struct EnrolmentRow {
    TranscoderKey key;
    std::string name;
    std::string token_id;
    WallTime enrolled_at;
    bool revoked = false;
    std::optional<SignerKey> signer = std::nullopt;  // the first that is saved stays
    bool cordoned = false;                           // by an operator
    bool operator==(const EnrolmentRow&) const = default;
};

// One committed segment: the ledger's row.
struct CommitRecord {
    SegmentKey segment;
    StreamName stream;
    AccountId account;
    TranscoderKey transcoder;
    std::string transcoder_name;
    std::uint64_t source_bytes = 0;
    TranscodeReport report;
    WallTime committed_at;
    std::optional<SignedReceipt> receipt = std::nullopt;
};
[[nodiscard]] CommitRecord commit_record(const Commit& commit, WallTime at);

struct SessionRow {
    SessionId id;
    StreamName stream;
    AccountId account;
    Ladder ladder;
    std::uint32_t run = 0;
    std::uint64_t last_seq = 0;
    bool has_seq = false;
    bool ended = false;
    WallTime updated_at;
};
[[nodiscard]] SessionRow session_row(const PersistSession& session, WallTime at);

// A key that signs session and playback tokens.
struct TokenKeyRow {
    std::uint32_t id = 0;              // grows; the highest signs
    std::vector<std::uint8_t> secret;  // 32 bytes
    WallTime created_at;
    bool operator==(const TokenKeyRow&) const = default;
};

// The initialisation part of a stream's fragments (orchestrator/front/init_parts.h).
struct InitRow {
    AccountId account;
    StreamName stream;
    std::shared_ptr<const std::vector<std::uint8_t>> bytes;
    WallTime used_at;
};

// Secrets of this data directory, made at the first open.
struct Identity {
    std::string curve_secret_z85;         // of the orchestrator's CURVE pair
    std::vector<TokenKeyRow> token_keys;  // newest first, at least one
    std::string admin_token;              // also in <data-dir>/admin.token, mode 0600
};

// What a start finds.
struct Restored {
    Epoch epoch;  // of this start
    Identity identity;
    std::vector<RestoredSession> sessions;  // of the last 24 h
    std::vector<JoinTokenRow> tokens;
    std::vector<EnrolmentRow> enrolments;
    std::vector<Account> accounts;
    std::optional<KeptStake> stake;
    std::vector<InitRow> init_parts;  // of the last 24 h
};

// Of this process: what was booked since it opened, and where the chain ends.
struct LedgerView {
    LedgerTotals booked;
    LedgerHead head;
};

using Done = std::function<void(const Result<void>&)>;
using Executor = std::function<void(std::function<void()>)>;

class Store {
public:
    virtual ~Store() = default;

    virtual void commit(CommitRecord record, Done done) = 0;
    // No segment that is booked from here on gets a time before `until`: a period may end there.
    virtual void hold_ledger(WallTime until, Done done) = 0;
    // Refused when it does not follow the last period, or its end was not held.
    virtual void close_period(ClosedPeriod period, Done done) = 0;
    virtual void save_session(SessionRow row) = 0;
    // Success: every session saved before this call is on disk.
    virtual void sessions_written(Done done) = 0;
    virtual void save_join_token(JoinTokenRow row, Done done) = 0;
    virtual void save_enrolment(EnrolmentRow row, Done done) = 0;
    virtual void save_account(Account account, Done done) = 0;
    virtual void remove_account(AccountId account, Done done) = 0;
    virtual void save_token_key(TokenKeyRow row, Done done) = 0;
    virtual void forget_token_key(std::uint32_t id, Done done) = 0;
    // Instead of the one before.
    virtual void save_stake(KeptStake stake, Done done) = 0;
    // Instead of the one before of this account and stream.
    virtual void save_init(InitRow row, Done done) = 0;
    virtual void forget_init(AccountId account, StreamName stream, Done done) = 0;

    [[nodiscard]] virtual LedgerView ledger() const = 0;
    [[nodiscard]] virtual bool available() const = 0;
    // An I/O error: this process writes nothing any more.
    [[nodiscard]] virtual bool failed() const { return false; }
    // Called through the executor whenever available() or failed() changes.
    virtual void on_available(std::function<void(bool)> changed) = 0;
    [[nodiscard]] virtual std::uint64_t errors() const = 0;
    [[nodiscard]] virtual std::uint64_t free_bytes()
        const = 0;  // in the data directory's file system
};

struct Opened {
    std::unique_ptr<Store> store;
    Restored restored;
};
// bad_input: the directory is in use, its files may be read by others, or it was written by a later version;
// the message says which and names --data-dir.
[[nodiscard]] Result<Opened> open_sqlite(const std::string& data_dir, Executor executor);

}  // namespace millrace::orchestrator::store
