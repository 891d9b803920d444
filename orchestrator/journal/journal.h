#pragma once
// Journal: what happened to each segment lately, step by step, and what is worth telling those who watch.
//
// It is shown every effect of the core when it is carried out, with the time, and keeps the last
// kTracesMax segments of at most kStepsMax steps each. It never reaches the core.
//
// Rules
// - A segment's trace begins with its first dispatch (cut-through: before its body is there) or its acceptance,
//   whichever comes first. An upload that never became a segment leaves none.
// - Times of steps count from the trace's beginning on the loop's clock; only the beginning is wall time.
// - Once a segment was answered or given up, later steps (a loser that is cancelled) still belong to it.
//
// Thread: orchestrator loop. Owner: main, destroyed after the service and the admin door.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/domain/segment.h"
#include "orchestrator/core/effects.h"

namespace millrace::orchestrator {

inline constexpr std::size_t kTracesMax = 2048;  // segments
inline constexpr std::size_t kStepsMax = 64;     // of one segment; later ones are left out

struct TraceStep {
    Duration after{0};  // since the trace began
    std::string_view
        what;  // accepted, deadline moved, dispatched, attempt ended, result, answered, failed
    std::string transcoder;  // its name; empty = none is concerned
    std::uint64_t attempt = 0;
    std::string detail;
};

struct Trace {
    SegmentKey segment;  // its hash is all zero until it was accepted
    StreamName stream;
    WallTime began_at;
    TimePoint began;
    bool accepted = false;
    std::string_view outcome = "in flight";  // then: answered, failed
    std::optional<StageTimes> times;         // as the engine measured them, with a result
    std::vector<TraceStep> steps;
};

// A transcoder joined, changed its state or left.
struct TranscoderEvent {
    std::string name;
    std::string state;  // as in /status, or "left"
    std::string reason;
    bool operator==(const TranscoderEvent&) const = default;
};
struct SessionEvent {
    SessionId session;
    StreamName stream;
    std::string_view state;   // opened, ended
    std::string_view reason;  // of an end
    bool operator==(const SessionEvent&) const = default;
};
struct SegmentEvent {
    SegmentKey segment;
    StreamName stream;
    std::string_view outcome;  // answered, failed
    std::string transcoder;    // whose result it is
    std::string detail;        // why it failed
    Duration total{0};         // accepted until now
    bool operator==(const SegmentEvent&) const = default;
};
using Event = std::variant<TranscoderEvent, SessionEvent, SegmentEvent>;

class Journal {
public:
    // Called with every event, at once. Empty = nobody listens.
    void listen(std::function<void(const Event&)> listener) { listener_ = std::move(listener); }

    void note(const Effect& effect, TimePoint now, WallTime wall);

    // All that is known of this number of this session, the latest first: a source that restarted has used
    // it in several runs. Valid until the next note().
    [[nodiscard]] std::vector<const Trace*> find(const SessionId& session, std::uint64_t seq) const;

private:
    struct Moment {
        TimePoint now;
        WallTime wall;
    };

    void on(const Send& effect, const Moment& at);
    void on(const DropAttempt& effect, const Moment& at);
    void on(const Expect& effect, const Moment& at);
    void on(const Commit& effect, const Moment& at);
    void on(const Deliver& effect, const Moment& at);
    void on(const Fail& effect, const Moment& at);
    void on(const PersistSession& effect, const Moment& at);
    void on(const SessionEnded& effect, const Moment& at);
    void on(const TranscoderChanged& effect, const Moment& at);
    template <class Other>
    void on(const Other&, const Moment&) {}

    Trace& trace_of(TaskId task, const SegmentKey& segment, const Moment& at);
    [[nodiscard]] Trace* known(TaskId task);
    static void step(Trace& trace, const Moment& at, TraceStep step);
    void forget(TaskId task);
    void tell(Event event) const;
    [[nodiscard]] std::string name_of(const TranscoderKey& key) const;

    std::function<void(const Event&)> listener_;
    std::unordered_map<TaskId, Trace> traces_;
    std::deque<TaskId> order_;                    // as they began; at most kTracesMax
    std::map<TranscoderKey, std::string> names_;  // of transcoders that have not left
    std::map<SessionId, StreamName> sessions_;    // that have not ended
};

// A few words for people: "stalled", "lost", ...
[[nodiscard]] std::string_view why_it_ended(Noted::What what);

}  // namespace millrace::orchestrator
