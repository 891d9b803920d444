#pragma once
// The tables, version by version. Internal to orchestrator/store.
//
// A change of tables is a further migration at the end, never an edit of one that was released. SQL is kept
// to what PostgreSQL understands as well (ON CONFLICT, RETURNING), types aside.

#include <array>

namespace millrace::orchestrator::store {

// "MILL": says whose file it is (PRAGMA application_id).
inline constexpr int kApplicationId = 0x4d494c4c;

// Migration n brings version n to n + 1 (PRAGMA user_version). Times are milliseconds since the Unix epoch.
inline constexpr std::array<const char*, 9> kMigrations{
    R"sql(
CREATE TABLE meta (                    -- epoch: starts so far; probe: scratch space of the recovery probe
    key   TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE secrets (                 -- curve: the orchestrator's secret key; session_hmac; admin
    name       TEXT    NOT NULL,
    key_id     INTEGER NOT NULL,       -- grows with rotation; the highest signs, older ones still verify
    value      BLOB    NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (name, key_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE join_tokens (
    id            TEXT PRIMARY KEY,    -- hex
    enrolment_key TEXT    NOT NULL,    -- public half, Z85
    created_ms    INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL,    -- 0 = never
    once          INTEGER NOT NULL,
    revoked       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE enrolments (
    key         TEXT PRIMARY KEY,      -- the transcoder's public key, Z85
    name        TEXT    NOT NULL,
    token_id    TEXT    NOT NULL,
    enrolled_ms INTEGER NOT NULL,
    revoked     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,       -- hex
    stream     TEXT    NOT NULL,
    account    TEXT    NOT NULL,
    ladder     TEXT    NOT NULL,       -- JSON
    run        INTEGER NOT NULL,
    last_seq   INTEGER,                -- of this run; unsigned 64 bits stored as signed; NULL = none yet
    ended      INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_update ON sessions (updated_ms);

CREATE TABLE segments (                -- the ledger: one row per answered segment, booked once
    session         TEXT    NOT NULL,
    run             INTEGER NOT NULL,
    seq             INTEGER NOT NULL,  -- unsigned 64 bits stored as signed
    sha256          BLOB    NOT NULL,  -- of the source
    account         TEXT    NOT NULL,
    transcoder      TEXT    NOT NULL,  -- public key, Z85
    transcoder_name TEXT    NOT NULL,  -- at that time
    source_bytes    INTEGER NOT NULL,
    duration_us     INTEGER NOT NULL,  -- measured
    decoded_frames  INTEGER NOT NULL,
    decoded_pixels  INTEGER NOT NULL,
    encoded_frames  INTEGER NOT NULL,  -- all renditions
    encoded_pixels  INTEGER NOT NULL,
    renditions      TEXT    NOT NULL,  -- JSON: [{name, width, height, frames, pixels, bytes}]
    committed_ms    INTEGER NOT NULL,
    PRIMARY KEY (session, run, seq)
) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
CREATE TABLE accounts (
    name                TEXT PRIMARY KEY,
    key_id              TEXT    NOT NULL,  -- hex
    key_hash            BLOB    NOT NULL,  -- SHA-256 of the key; the key itself is nowhere
    sessions            INTEGER,           -- limits; NULL = none
    segments_per_minute INTEGER,
    bytes_per_second    INTEGER,
    pixels_per_second   INTEGER,
    streams             TEXT    NOT NULL,  -- JSON array of names and prefixes; empty = all
    created_ms          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
CREATE TABLE streams (                 -- what playlists go on from
    stream     TEXT PRIMARY KEY,
    committed  INTEGER NOT NULL,       -- segments ever committed, repeats included: no playlist numbered more
    updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO streams
    SELECT sessions.stream, count(*), max(segments.committed_ms)
    FROM segments JOIN sessions ON sessions.id = segments.session GROUP BY sessions.stream;
)sql",
    // Rows that were there already are chained by seal_ledger() in the same transaction (ledger_rows.h).
    R"sql(
ALTER TABLE segments RENAME TO segments_before;
CREATE TABLE segments (                    -- the ledger: one row per answered segment, never changed again
    position        INTEGER PRIMARY KEY,   -- from 1 without gaps, in the order of the commits
    session         TEXT    NOT NULL,
    run             INTEGER NOT NULL,
    seq             INTEGER NOT NULL,      -- unsigned 64 bits stored as signed
    sha256          BLOB    NOT NULL,      -- of the source
    account         TEXT    NOT NULL,
    transcoder      TEXT    NOT NULL,      -- public key, Z85
    transcoder_name TEXT    NOT NULL,      -- at that time
    source_bytes    INTEGER NOT NULL,
    duration_us     INTEGER NOT NULL,      -- measured
    decoded_frames  INTEGER NOT NULL,
    decoded_pixels  INTEGER NOT NULL,
    encoded_frames  INTEGER NOT NULL,      -- all renditions
    encoded_pixels  INTEGER NOT NULL,
    encoded_bytes   INTEGER NOT NULL,
    renditions      TEXT    NOT NULL,      -- JSON: [{name, width, height, frames, pixels, bytes}]
    committed_ms    INTEGER NOT NULL,      -- never falls from row to row
    receipt         BLOB,                  -- stored form (common/domain/receipt.h); NULL = it signs none
    chain           BLOB    NOT NULL,      -- ledger_chain.h
    UNIQUE (session, run, seq, sha256)
) STRICT;
INSERT INTO segments
    SELECT row_number() OVER (ORDER BY committed_ms, session, run, seq), session, run, seq, sha256, account,
           transcoder, transcoder_name, source_bytes, duration_us, decoded_frames, decoded_pixels,
           encoded_frames, encoded_pixels,
           (SELECT coalesce(sum(json_extract(value, '$.bytes')), 0) FROM json_each(renditions)),
           renditions, committed_ms, NULL, x''
    FROM segments_before;
DROP TABLE segments_before;
CREATE INDEX segments_by_time ON segments (committed_ms);
CREATE TABLE ledger_head (                 -- one row: where the chain ends
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL,             -- of the last row; 0 = none
    chain    BLOB    NOT NULL,
    floor_ms INTEGER NOT NULL              -- no later row is booked before this time
) STRICT;
INSERT INTO ledger_head VALUES (1, 0, zeroblob(32), 0);
)sql",
    R"sql(
CREATE TABLE periods (                     -- closed: nothing in them changes any more
    number    INTEGER PRIMARY KEY,         -- from 1 without gaps
    from_ms   INTEGER NOT NULL,            -- its rows: from_ms <= committed_ms < until_ms
    until_ms  INTEGER NOT NULL,
    closed_ms INTEGER NOT NULL,
    position  INTEGER NOT NULL,            -- of its last row, or of the last before it
    chain     BLOB    NOT NULL,            -- that row's
    seal      BLOB    NOT NULL             -- ledger_chain.h
) STRICT;
CREATE TABLE period_totals (
    period          INTEGER NOT NULL,
    account         TEXT    NOT NULL,
    transcoder      TEXT    NOT NULL,      -- public key, Z85
    transcoder_name TEXT    NOT NULL,      -- the last one in the period
    segments        INTEGER NOT NULL,
    duration_us     INTEGER NOT NULL,
    decoded_frames  INTEGER NOT NULL,
    decoded_pixels  INTEGER NOT NULL,
    encoded_frames  INTEGER NOT NULL,
    encoded_pixels  INTEGER NOT NULL,
    source_bytes    INTEGER NOT NULL,
    encoded_bytes   INTEGER NOT NULL,
    PRIMARY KEY (period, account, transcoder)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER segments_stay BEFORE UPDATE ON segments
    BEGIN SELECT RAISE(ABORT, 'rows of the ledger are never changed'); END;
CREATE TRIGGER segments_remain BEFORE DELETE ON segments
    BEGIN SELECT RAISE(ABORT, 'rows of the ledger are never removed'); END;
CREATE TRIGGER periods_stay BEFORE UPDATE ON periods
    BEGIN SELECT RAISE(ABORT, 'closed periods are never changed'); END;
CREATE TRIGGER periods_remain BEFORE DELETE ON periods
    BEGIN SELECT RAISE(ABORT, 'closed periods are never removed'); END;
CREATE TRIGGER period_totals_stay BEFORE UPDATE ON period_totals
    BEGIN SELECT RAISE(ABORT, 'closed periods are never changed'); END;
CREATE TRIGGER period_totals_remain BEFORE DELETE ON period_totals
    BEGIN SELECT RAISE(ABORT, 'closed periods are never removed'); END;
)sql",
    R"sql(
ALTER TABLE enrolments ADD COLUMN signer BLOB;   -- public Ed25519 key of its receipts; NULL = it has told none
CREATE TRIGGER signers_stay BEFORE UPDATE OF signer ON enrolments
    WHEN OLD.signer IS NOT NULL AND NEW.signer IS NOT OLD.signer
    BEGIN SELECT RAISE(ABORT, 'a transcoder keeps the key it signs with'); END;
)sql",
    R"sql(
CREATE TABLE stake (                       -- at most one row: what was read last
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    subject TEXT    NOT NULL,              -- whose stake, from where
    tokens  TEXT    NOT NULL,              -- LPT, a decimal
    active  INTEGER NOT NULL,
    round   INTEGER,                       -- unsigned 64 bits stored as signed; NULL = the source knows none
    read_ms INTEGER NOT NULL
) STRICT;
)sql",
    R"sql(
CREATE TABLE init_parts (                  -- of fragmented MP4; bounded in number and size by the front
    account TEXT    NOT NULL,
    stream  TEXT    NOT NULL,
    bytes   BLOB    NOT NULL,              -- 'ftyp' and 'moov', 64 KiB at most
    used_ms INTEGER NOT NULL,              -- up to an hour before it really was used last
    UNIQUE (account, stream)
) STRICT;
)sql",
    R"sql(
ALTER TABLE enrolments ADD COLUMN cordoned INTEGER NOT NULL DEFAULT 0;  -- by an operator
)sql"};

// The version that brings the chain.
inline constexpr int kLedgerVersion = 4;

}  // namespace millrace::orchestrator::store
