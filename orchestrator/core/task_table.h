#pragma once
// TaskTable: accepted segments and their attempts. Plain records with the few questions that need
// more than one field; what happens next is the facade's to decide.
//
// Rules
// - A task has at most two live attempts: the one on record and a second one started in doubt.
// - At one transcoder a session's attempts run one at a time in the order they were dispatched; the
//   first that is not yet sending its result is the head. Only heads, and what is running or
//   sending, are expected to make progress.
//     Why: a segment that waits for its predecessor is not stuck.
// - Attempts that never started work do not count against the number allowed.
//
// Thread: orchestrator loop. Owner: OrchestratorCore. Clock: none.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/core/registry.h"
#include "orchestrator/core/result_check.h"

namespace millrace::orchestrator {

struct Session;

struct Attempt {
    AttemptNo no;
    Transcoder* at = nullptr;
    std::uint64_t order = 0;    // of dispatch, over all attempts of this epoch
    bool second = false;        // started in doubt, beside the one on record
    bool started = false;       // an engine works, or worked, on it
    bool watched = false;       // expected to make progress
    bool told_headers = false;  // made with what the session has pinned
    TaskStage stage = TaskStage::receiving;
    TimePoint dispatched_at;
    TimePoint progressed_at;
    TimePoint running_since;  // valid once started
    std::int64_t media_done_us = 0;
    std::int64_t media_total_us = 0;
    std::int64_t frames = 0;
    std::optional<TaskFinished> finished;  // reported, renditions may still be under way
    std::optional<SignedReceipt> receipt;  // of what it reported
    std::map<std::uint32_t, Received> received;

    [[nodiscard]] bool leaving() const { return finished || stage == TaskStage::sending; }
};

// What a task learned about a transcoder.
enum class Verdict : std::uint8_t { rather_not, never };

struct Task {
    TaskId id;
    Session* session = nullptr;
    SegmentKey segment;
    std::uint64_t bytes = 0;            // of the source
    std::uint64_t rendition_bytes = 0;  // received so far, over all live attempts
    TimePoint accepted_at;
    TimePoint deadline;
    Duration duration{0};   // measured, declared or assumed
    bool declared = false;  // `duration` is not merely assumed
    bool measured = false;
    bool allow_audio_only = false;
    bool discontinuity = false;
    bool made_again = false;  // once, for its headers

    std::uint64_t attempts_made = 0;
    std::uint32_t attempts_spent = 0;  // ended after they had started work
    std::uint32_t turned_away = 0;     // times a transcoder would not start it
    std::vector<Attempt> live;         // at most two
    std::map<TranscoderNo, Verdict> tried;
    std::optional<TimePoint> not_before;
    std::optional<TimePoint> first_dispatch;

    bool half_passed = false;
    bool doubted = false;       // a second attempt was asked for
    ReservationId second_slot;  // asked for it, not yet granted

    // once a valid result is there
    AttemptNo committing;
    TranscoderNo committing_at;  // it may be revoked and forgotten while the store is at work
    std::string committing_name;
    TranscodeReport result;

    [[nodiscard]] bool waiting() const { return live.empty() && !committing; }
    [[nodiscard]] TimePoint half_time() const { return accepted_at + (deadline - accepted_at) / 2; }
    [[nodiscard]] Attempt* attempt(AttemptNo no);
    [[nodiscard]] bool has_tried(const Transcoder& t, Verdict at_least) const;
    void learned(const Transcoder& t, Verdict verdict);
    // Attempts that started, or may still: bounds what may be dispatched.
    [[nodiscard]] std::size_t attempts_bound() const { return attempts_spent + live.size(); }
};

class TaskTable {
public:
    // An id that no other task gets; add() it, or let it be.
    [[nodiscard]] TaskId next_id() { return TaskId{++last_id_}; }
    Task& add(TaskId id, Session& session, const SegmentKey& segment);
    void erase(TaskId id) { tasks_.erase(id); }
    [[nodiscard]] Task* find(TaskId id);
    [[nodiscard]] std::uint64_t next_order() { return ++last_order_; }
    [[nodiscard]] std::size_t size() const { return tasks_.size(); }
    [[nodiscard]] const std::map<TaskId, Task>& all() const { return tasks_; }

private:
    std::map<TaskId, Task> tasks_;
    std::uint64_t last_id_ = 0;
    std::uint64_t last_order_ = 0;
};

}  // namespace millrace::orchestrator
