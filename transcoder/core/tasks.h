#pragma once
// TaskTable: the tasks held here and where each of them stands:
//
//   receiving -> waiting -> running -> sending -> gone
//
// `receiving` ends when the first bytes of the source are here (its end may come while the task waits or
// runs), `waiting` when the slot's engine takes it,
// `running` when the engine is done, `sending` when every rendition was handed over. The table also
// remembers the tasks that ended last, so that a dispatch that is delivered twice is not done
// twice.
//
// Thread: transcoder loop. Owner: TranscoderCore. Clock: none.

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "common/base/time.h"
#include "common/domain/protocol.h"
#include "transcoder/core/transcoder_core.h"

namespace millrace::transcoder {

inline constexpr std::size_t kEndedRemembered = 1024;  // tasks

struct Task {
    TaskRef ref;
    Dispatch dispatch;
    SlotNo slot;
    TaskStage stage = TaskStage::receiving;
    TimePoint accepted_at;
    bool source_open = true;   // more of its source is to come
    TimePoint received_at;     // the end of it
    TimePoint deadline;        // the segment's, as far as we know it
    TimePoint tell_at;         // next TaskProgress at the latest; waiting and running
    TimePoint engine_seen;     // last sign of the engine; running
    bool taken_up = false;     // by the engine: what it does from here on is the segment's doing
    Place gpu;                 // that the engine may use; running
    bool without_gpu = false;  // one failed it: made once more by the CPU
    Place suspect;             // a GPU whose engine crashed or hung over it; the CPU is to tell
    bool handed_out = false;   // some of its renditions
    Duration media_done{0};
    Duration media_total{0};
    std::int64_t frames = 0;
    TimePoint finished_at;                 // the engine was done; sending
    std::optional<TaskFinished> finished;  // sending: told when all of it is on the payload lane
};

// Deadline of a segment of this duration, from its last byte: clamp(3d, 4 s, 30 s); unknown
// durations count as 4 s (contract.md, section 2).
[[nodiscard]] Duration deadline_for(Duration segment);

// When a task dispatched with this much time left must be done. `left_ms` is the orchestrator's
// word: clamped to what a segment can have.
[[nodiscard]] TimePoint deadline_after(TimePoint now, std::int64_t left_ms);
// Likewise for one whose source still arrives at the orchestrator: it has no deadline before its end is here.
[[nodiscard]] TimePoint open_deadline_after(TimePoint now, std::int64_t left_ms);

class TaskTable {
public:
    // Held now, or ended a short while ago.
    [[nodiscard]] bool known(TaskRef ref) const;
    [[nodiscard]] Task* find(TaskRef ref);
    [[nodiscard]] const Task* find(TaskRef ref) const;
    Task& add(TaskRef ref);
    void end(TaskRef ref);

    // In the order of their ids, so that a run can be replayed.
    [[nodiscard]] const std::map<TaskRef, Task>& all() const { return tasks_; }
    [[nodiscard]] std::vector<TaskRef> of(OrchestratorIndex orchestrator) const;
    [[nodiscard]] std::size_t in_slot(SlotNo slot) const;  // of any stage
    [[nodiscard]] std::size_t count(TaskStage stage) const;
    [[nodiscard]] bool empty() const { return tasks_.empty(); }
    // Task numbers start anew with an epoch: what ended under the old one says nothing any more.
    void forget_ended(OrchestratorIndex orchestrator);

private:
    std::map<TaskRef, Task> tasks_;
    std::deque<TaskRef> ended_;
};

}  // namespace millrace::transcoder
