#pragma once
// AnsweredWindow: segments that were answered, so that a repeat gets the same bytes and other bytes
// under a number are noticed.
//
// Rules
// - An answer is kept for 30 s, and as long as it is among its session's last 12; all of them
//   within one number of bytes, the oldest going first.
//     Why: broadcasters and gateways repeat a segment when an answer was lost on the way; bytes are
//     bounded for the process, not per session.
// - The fingerprint and time of an answer are remembered longer than its bytes, for the last
//   kSeqsRemembered numbers of a session: "other bytes under this number" is judged by them.
// - The last-12 rule ends with the session, the 30 s do not.
//
// Thread: orchestrator loop. Clock: none. Cost: O(log answers) per call.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"

namespace millrace::orchestrator {

// A session's handle inside the core; never reused within an epoch.
using SessionNo = NumberId<struct SessionNoTag>;

struct AnswerKey {
    std::uint32_t run = 0;
    std::uint64_t seq = 0;
    auto operator<=>(const AnswerKey&) const = default;
};

struct Answered {
    Sha256 sha256{};
    TimePoint at;
};

class AnsweredWindow {
public:
    AnsweredWindow(Duration keep_for, std::uint32_t keep_last, std::uint64_t keep_bytes)
        : keep_for_(keep_for), keep_last_(keep_last), keep_bytes_(keep_bytes) {}

    // Returns the answers that had to go for it, oldest first (also itself, when it is too large).
    [[nodiscard]] std::vector<AnswerId> add(SessionNo session, AnswerKey key, const Sha256& sha256,
                                            AnswerId answer, std::uint64_t bytes, TimePoint now);
    // The kept answer to these bytes under this number, the latest run's first.
    [[nodiscard]] std::optional<AnswerId> find(SessionNo session, std::uint64_t seq,
                                               const Sha256& sha256) const;
    // What was answered under this number of this run, kept or not.
    [[nodiscard]] std::optional<Answered> last(SessionNo session, AnswerKey key) const;

    // Answers whose time is over.
    [[nodiscard]] std::vector<AnswerId> expire(TimePoint now);
    [[nodiscard]] std::optional<TimePoint> next_expiry() const;
    void session_ended(SessionNo session);
    // The session was opened again under the same handle.
    void session_reopened(SessionNo session);
    // Nothing of it is remembered any more, except answers that are still within their 30 s.
    void forget_session(SessionNo session);

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] std::size_t size() const { return kept_.size(); }
    void check_invariants() const;

private:
    struct Kept {
        SessionNo session;
        AnswerKey key;
        std::uint64_t bytes = 0;
        TimePoint at;
    };
    struct History {
        std::map<AnswerKey, Answered> answered;
        std::deque<AnswerKey> order;  // of `answered`, oldest first
        std::map<AnswerKey, AnswerId> by_key;
        std::deque<AnswerId> kept;  // oldest first
        bool ended = false;
        bool forgotten = false;
        std::optional<TimePoint> expires;  // its place in expiries_
    };

    void remember(History& history, AnswerKey key, const Sha256& sha256, TimePoint now);
    void drop(AnswerId answer);
    void rearm(SessionNo session, History& history);

    Duration keep_for_;
    std::uint32_t keep_last_;
    std::uint64_t keep_bytes_;
    std::uint64_t bytes_ = 0;
    std::map<AnswerId, Kept> kept_;  // ids rise with time: the first is the oldest
    std::map<SessionNo, History> sessions_;
    std::set<std::pair<TimePoint, SessionNo>> expiries_;
};

}  // namespace millrace::orchestrator
