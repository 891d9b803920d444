#pragma once
// Work: slots and tasks put together. What happens to a reservation, a dispatch, a cancel, and to
// what engines and transfers report.
//
// Rules
// - A dispatch needs a slot of its session and room in its queue; else it is refused as overloaded,
//   not started. The same (task, attempt) twice is one task.
// - Strictly in dispatch order within a slot. Why: a session's segments are wanted in order.
// - An engine begins with the first bytes of a source. One that is silent for engine_silence after it got the
//   last, or at work past the deadline, is stopped.
//   Why only after the last: before, it may have nothing to work on.
// - A crash or silence after the engine took the task up makes the segment a suspect; before that it
//   says nothing about it.
// - A task whose GPU fails, and one over which an engine with a GPU crashes or hangs, is begun once
//   more without a GPU, unless a rendition has left. What the CPU then finishes was the GPU's failure;
//   what crashes the CPU's engine too is the segment's, and said.
//   Why: a driver in trouble must not make good segments poison, nor cost them attempts.
// - An engine is moved to another GPU between two tasks.
// - A task's threads follow the sessions on the machine: alone it gets all cores, on a full machine
//   one.
// - TaskFinished is said when every rendition is on the payload lane, not before.
// - Every task ends with DropTask and TaskEnded, and, unless it was cancelled or voided, with
//   TaskFinished or TaskFailed before.
//
// Thread: transcoder loop. Owner: TranscoderCore. Clock: none.

#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/domain/protocol.h"
#include "transcoder/core/slots.h"
#include "transcoder/core/tasks.h"
#include "transcoder/core/transcoder_core.h"

namespace millrace::transcoder {

// Where Work's messages go: to the link if it is up, else nowhere.
class Outbox {
public:
    virtual ~Outbox() = default;
    virtual void tell(OrchestratorIndex to, ToOrchestrator message) = 0;
    virtual void effect(Effect effect) = 0;
};

class Work {
public:
    // More of them decode no faster, and each keeps a picture of its own.
    static constexpr std::uint32_t kThreadsPerTaskMax = 8;

    Work(const CoreConfig& config, Outbox& outbox);

    void reserve(OrchestratorIndex from, const Reserve& wish, bool draining);
    void release(OrchestratorIndex from, const Release& release);
    void dispatch(OrchestratorIndex from, const Dispatch& dispatch, bool draining, TimePoint now);
    void cancel(OrchestratorIndex from, const Cancel& cancel, TimePoint now);

    void source_arrived(TaskRef ref, TimePoint now);
    void source_received(TaskRef ref, TimePoint now);
    void source_failed(TaskRef ref, const Error& problem, TimePoint now);
    void renditions_sent(TaskRef ref, TimePoint now);

    void engine_progress(SlotNo slot, TaskRef ref, Duration done, Duration total,
                         std::int64_t frames, TimePoint now);
    void engine_finished(SlotNo slot, TaskRef ref, const TranscodeReport& report,
                         const SeamContext& seam, TimePoint now);
    void engine_failed(SlotNo slot, TaskRef ref, const Error& problem, bool crashed, TimePoint now);
    void engine_rendition(SlotNo slot, TaskRef ref);
    void engine_lost(SlotNo slot);
    void engine_without_gpu(SlotNo slot, const std::string& why, TimePoint now);
    void engine_ready(SlotNo slot, TimePoint now);

    // The link broke: what was still being received is lost, the rest is held.
    void cut_transfers(OrchestratorIndex which, TimePoint now);
    // The link is back in the same epoch: say where its tasks stand.
    void retell(OrchestratorIndex which, TimePoint now);
    // Nothing of this orchestrator counts any more: tasks dropped, slots freed.
    void void_all(OrchestratorIndex which, TimePoint now);
    void stop_everything(TimePoint now);

    void resize(std::uint32_t slots);
    // Every slot where the board wants it, as far as its engine has no task.
    void reseat();
    void advance_to(TimePoint now);
    [[nodiscard]] std::optional<TimePoint> next_deadline() const;

    [[nodiscard]] const SlotTable& slots() const { return slots_; }
    [[nodiscard]] const TaskTable& tasks() const { return tasks_; }
    [[nodiscard]] std::vector<GpuStatus> gpus() const { return board_.status(slots_.seats()); }
    void check_invariants() const;

private:
    [[nodiscard]] Task* running_in(SlotNo slot, TaskRef ref);
    [[nodiscard]] std::uint32_t threads() const;
    [[nodiscard]] std::optional<std::string> why_not(const Dispatch& dispatch,
                                                     std::optional<SlotNo> slot,
                                                     bool draining) const;
    [[nodiscard]] std::size_t queued_in(SlotNo slot) const;
    void refuse(OrchestratorIndex from, const Reserve& wish, SlotRefusal reason,
                std::string detail);
    void start_next(SlotNo slot, TimePoint now);
    void move_engine(SlotNo slot);
    void gpu_failed(GpuNo gpu, std::optional<SlotNo> over, const std::string& why, TimePoint now);
    // False where it cannot be.
    bool begin_again(Task& task, TimePoint now);
    bool hung_on_gpu(Task& task, TimePoint now);
    void progress(Task& task, TimePoint now);
    void expire(Task& task, TimePoint now);
    // Stops its engine if it runs, takes it out of its queue, drops it, starts what comes next.
    void end(TaskRef ref, std::string outcome, TimePoint now);
    void fail(Task& task, const Error& problem, bool suspect, TimePoint now);
    [[nodiscard]] TimePoint due(const Task& task) const;

    const CoreConfig& config_;
    Outbox& outbox_;
    std::uint32_t slots_wanted_;  // before what GPUs allow
    GpuBoard board_;
    SlotTable slots_;
    TaskTable tasks_;
};

}  // namespace millrace::transcoder
