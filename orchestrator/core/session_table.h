#pragma once
// SessionTable: streams and sessions, who holds a slot, who waits for one, who may lose it.
//
// Rules
// - A stream name has at most one live session. An ended session is remembered for a while, so that
//   its token can open it again with its run and number.
// - A session's slot is its primary holding; beside it there may be holdings of attempts that still
//   run elsewhere. At one transcoder a session has at most one holding.
// - A session has a claim when it has no slot but was let in: an upload of it is arriving, or it
//   waits for a slot. Claims count at admission, so that a burst cannot pass together.
// - A session of which no segment came out yet holds its slot only while something of it is here.
//     Why: what cannot be transcoded would keep others out for the 10 s until it is idle.
// - Idle: a slot, nothing in flight, and no segment for max(10 s, 3 of its segments). Idle sessions
//   are kept in the order of their last segment: the first loses its slot first.
// - Waiting (wanting): tasks without an attempt and no slot, or robbed of its slot while live. Kept
//   in the order in which sessions were opened: the oldest is placed first, the newest shed first.
//
// Thread: orchestrator loop. Owner: OrchestratorCore. Clock: none. Sessions stay where they are in
// memory; refresh() must follow every change of a session, check_invariants() tells if it did not.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "orchestrator/core/effort.h"
#include "orchestrator/core/orchestrator_core.h"
#include "orchestrator/core/seam_keeper.h"
#include "orchestrator/core/task_table.h"

namespace millrace::orchestrator {

struct Holding {
    ReservationId id;
    Transcoder* at = nullptr;
    std::uint32_t ordinal = 0;
    Cost cost;
    bool granted = false;
    TimePoint asked_at;
    TimePoint sent_at;  // last Reserve
    TimePoint granted_at;
};

struct Session {
    SessionNo no;
    SessionId id;
    StreamName stream;
    AccountId account;
    Ladder ladder;
    Cost cost;
    bool confirmed = false;  // asked for explicitly, or a segment of it was accepted
    bool proven = false;     // a segment of it came out, or it is from before a restart
    bool ended = false;
    EndReason end_reason = EndReason::idle;

    std::uint32_t run = 0;
    std::uint64_t last_seq = 0;  // highest of the run
    bool has_seq = false;
    Duration last_duration{0};  // of its last segment; 0 = none known
    TimePoint started_at;
    std::optional<TimePoint> last_segment_at;
    SeamKeeper seams;

    std::vector<Holding> holdings;
    ReservationId primary;                             // its slot; 0 = none
    std::set<TaskId> tasks;                            // in flight, in the order they were accepted
    std::uint32_t uploads = 0;                         // counted against in_flight_max
    std::uint32_t repeats = 0;                         // that may turn out to be repeats
    std::map<std::uint64_t, std::uint32_t> uploading;  // how many uploads of a number are open
    UploadId last_upload;                              // the latest that was begun
    UploadId early_upload;      // the one whose segment is at work already; 0 = none
    TimePoint no_early_before;  // its segments crashed engines: whole ones only until then
    bool orphaned = false;      // robbed of its slot while live
    std::optional<TimePoint> restored_until;  // after a restart: treated as running
    std::optional<TimePoint> wanting_since;
    std::map<TranscoderNo, TimePoint> avoid;  // refused it a slot; until when it is not asked

    Speed speed;
    Effort effort;
    std::uint64_t segments_ok = 0;
    std::uint64_t segments_failed = 0;

    // memberships, kept by SessionTable::refresh()
    bool in_holding = false;
    bool in_claims = false;
    std::optional<TimePoint> in_idle;  // its key there
    bool in_wanting = false;
    bool in_open = false;

    [[nodiscard]] Holding* holding(ReservationId id);
    [[nodiscard]] Holding* holding_at(const Transcoder& t);
    [[nodiscard]] Holding* slot() { return primary ? holding(primary) : nullptr; }
    [[nodiscard]] TimePoint quiet_since() const { return last_segment_at.value_or(started_at); }
    [[nodiscard]] bool arriving() const { return uploads + repeats > 0; }
    // Holds a slot, waits for one by right, or was let in a moment ago.
    [[nodiscard]] bool has_place() const {
        return in_holding || in_claims || !tasks.empty() || restored_until.has_value();
    }
};

class SessionTable {
public:
    explicit SessionTable(const CoreConfig& config) : config_(config) {}

    Session& open(const SessionId& id, const StreamName& stream, const AccountId& account,
                  TimePoint now);
    // Makes an ended session live again. The stream's name must be free.
    void reopen(Session& session, TimePoint now);
    // Takes the stream's name away from it; remembered until forgotten.
    void end(Session& session, EndReason reason);
    void erase(Session& session);
    // Ended sessions beyond the number remembered, without anything in flight.
    [[nodiscard]] Session* surplus();

    [[nodiscard]] Session* find(const SessionId& id);
    [[nodiscard]] Session* find(SessionNo no);
    [[nodiscard]] Session* live_on(const StreamName& stream);

    [[nodiscard]] TimePoint idle_at(const Session& session) const;
    // Recomputes the session's memberships; `waiting`: it has a task without an attempt.
    void refresh(Session& session, bool waiting, TimePoint now, TimePoint not_shed_before);

    [[nodiscard]] std::size_t open_count() const { return open_; }
    // Of one account; those whose first upload is arriving included.
    [[nodiscard]] std::size_t open_of(const AccountId& account) const;
    [[nodiscard]] std::uint32_t holding_count() const { return holding_; }
    [[nodiscard]] std::uint32_t claims() const { return claims_; }
    // Longest idle first.
    [[nodiscard]] const std::set<std::pair<TimePoint, SessionNo>>& idle() const { return idle_; }
    // Oldest first.
    [[nodiscard]] const std::set<std::pair<TimePoint, SessionNo>>& wanting() const {
        return wanting_;
    }
    [[nodiscard]] const std::map<SessionNo, std::unique_ptr<Session>>& all() const {
        return sessions_;
    }
    void check_invariants() const;

private:
    [[nodiscard]] bool is_idle(const Session& session, TimePoint now) const;
    void opened(Session& session);
    void closed(Session& session);

    const CoreConfig& config_;
    std::map<SessionNo, std::unique_ptr<Session>> sessions_;
    std::map<SessionId, Session*> by_id_;
    std::map<StreamName, Session*> by_stream_;
    std::set<SessionNo> ended_;
    std::set<std::pair<TimePoint, SessionNo>> idle_;
    std::set<std::pair<TimePoint, SessionNo>> wanting_;
    std::uint64_t last_no_ = 0;
    std::uint32_t holding_ = 0;
    std::uint32_t claims_ = 0;
    std::size_t open_ = 0;
    std::map<AccountId, std::size_t> open_of_;  // accounts with open sessions
};

}  // namespace millrace::orchestrator
