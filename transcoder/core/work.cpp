#include "transcoder/core/work.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace millrace::transcoder {
namespace {

// Tasks whose renditions are still on their way do not hold up the slot, but they are bounded too.
constexpr std::size_t kSendingPerSlotMax = 8;

// A timer that is later than this has waited for a machine that stood still or was overrun: then an
// engine's silence says nothing about its segment.
constexpr Duration kTimerLateMax = std::chrono::milliseconds(250);

std::int64_t micros(Duration d) {
    return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
}

bool silent_matters(const Task& task) {
    return task.stage == TaskStage::running && !task.source_open;
}

std::string outcome_of(ErrorKind kind) {
    return kind == ErrorKind::bad_input ? "bad_input" : "failed";
}

}  // namespace

Work::Work(const CoreConfig& config, Outbox& outbox)
    : config_(config),
      outbox_(outbox),
      slots_wanted_(config.slots),
      board_(config.gpus),
      slots_(config.slots) {
    slots_.offer(board_.offered(slots_wanted_));
    const std::vector<Place> places = board_.seat(slots_.seats());
    for (std::uint32_t no = 0; no < places.size(); ++no) {
        const SlotNo slot{no};
        slots_.place(slot, places[no]);
        slots_.seat(slot, places[no]);
        if (places[no])
            slots_.set_engine(slot, EngineState::replacing);
    }
}

// ---- slots

void Work::refuse(OrchestratorIndex from, const Reserve& wish, SlotRefusal reason,
                  std::string detail) {
    outbox_.tell(from, SlotRefused{wish.reservation, wish.session, reason, slots_.free(),
                                   std::move(detail)});
}

void Work::reserve(OrchestratorIndex from, const Reserve& wish, bool draining) {
    const SlotOwner owner{from, wish.session};
    const Cost cost = completed(wish.cost);
    if (draining)
        return refuse(from, wish, SlotRefusal::draining, "this transcoder is leaving");
    if (const auto held = slots_.find(owner)) {
        slots_.keep(*held);
        slots_.charge(*held, cost);
        outbox_.tell(from, SlotGranted{wish.reservation, wish.session, slots_.free()});
        return;
    }
    if (board_.any() && !board_.any_ready())
        return refuse(from, wish, SlotRefusal::device, "all GPUs are in quarantine");
    if (slots_.free() == 0)
        return refuse(from, wish, SlotRefusal::no_free_slot, "every slot is taken");
    if (!takes(cost, slots_.load(), config_.capacity))
        return refuse(from, wish, SlotRefusal::cost, "the session costs more than is left here");
    const std::vector<Seat> seats = slots_.seats();
    (void)slots_.grant(owner, cost, [&](const Slot& slot) {
        return slot.place ? 1 + board_.headroom(*slot.place, seats) : 0;
    });
    outbox_.tell(from, SlotGranted{wish.reservation, wish.session, slots_.free()});
}

void Work::release(OrchestratorIndex from, const Release& release) {
    if (const auto slot = slots_.find({from, release.session}))
        slots_.release(*slot);
}

// ---- tasks, from the orchestrator

std::size_t Work::queued_in(SlotNo slot) const {
    return slots_.at(slot).queue.size();
}

std::optional<std::string> Work::why_not(const Dispatch& dispatch, std::optional<SlotNo> slot,
                                         bool draining) const {
    if (draining)
        return "this transcoder is leaving";
    if (!slot)
        return "session " + dispatch.segment.session.value + " has no slot here";
    if (queued_in(*slot) >= config_.tasks_per_slot_max)
        return "the slot's queue is full";
    if (tasks_.in_slot(*slot) - queued_in(*slot) >= kSendingPerSlotMax)
        return "too many renditions of the slot are still on their way";
    return std::nullopt;
}

void Work::dispatch(OrchestratorIndex from, const Dispatch& dispatch, bool draining,
                    TimePoint now) {
    const TaskRef ref{from, dispatch.task, dispatch.attempt};
    if (tasks_.known(ref))
        return;
    const auto slot = slots_.find({from, dispatch.segment.session});
    std::optional<Error> problem;
    if (dispatch.kind != TaskKind::transcode)
        problem = error(ErrorKind::unsupported, "this version only transcodes");
    else if (const auto reason = why_not(dispatch, slot, draining))
        problem = error(ErrorKind::overloaded, *reason);
    else if (dispatch.time_left_ms <= 0)
        problem = error(ErrorKind::timeout, "the deadline had passed when the task arrived");
    if (problem) {
        outbox_.tell(from, TaskFailed{ref.task, ref.attempt, problem->kind, problem->message});
        outbox_.effect(TaskEnded{ref, "refused"});
        outbox_.effect(DropTask{ref});
        return;
    }
    Task& task = tasks_.add(ref);
    task.dispatch = dispatch;
    task.slot = *slot;
    task.accepted_at = now;
    task.deadline = dispatch.bytes == 0 ? open_deadline_after(now, dispatch.time_left_ms)
                                        : deadline_after(now, dispatch.time_left_ms);
    slots_.charge(*slot, completed(dispatch.cost));
    slots_.enqueue(*slot, ref);
    outbox_.effect(ExpectSource{ref, dispatch.segment, dispatch.bytes});
    progress(task, now);
}

void Work::cancel(OrchestratorIndex from, const Cancel& cancel, TimePoint now) {
    const TaskRef ref{from, cancel.task, cancel.attempt};
    if (tasks_.find(ref) != nullptr)
        end(ref, "cancelled", now);
}

// ---- transfers

void Work::source_arrived(TaskRef ref, TimePoint now) {
    Task* task = tasks_.find(ref);
    if (task == nullptr || task->stage != TaskStage::receiving)
        return;
    task->stage = TaskStage::waiting;
    progress(*task, now);
    start_next(task->slot, now);
}

void Work::source_received(TaskRef ref, TimePoint now) {
    Task* task = tasks_.find(ref);
    if (task == nullptr || !task->source_open)
        return;
    task->source_open = false;
    task->received_at = task->engine_seen = now;
    if (task->dispatch.bytes == 0) {
        const Duration taken_for = std::chrono::milliseconds(
            std::clamp<std::int64_t>(task->dispatch.duration_ms, 0, to_ms(std::chrono::hours(1))));
        task->deadline = std::min(task->deadline, now + deadline_for(taken_for));
    }
    source_arrived(ref, now);
}

void Work::source_failed(TaskRef ref, const Error& problem, TimePoint now) {
    Task* task = tasks_.find(ref);
    if (task != nullptr && task->source_open)
        fail(*task, problem, false, now);
}

void Work::renditions_sent(TaskRef ref, TimePoint now) {
    Task* task = tasks_.find(ref);
    if (task == nullptr || task->stage != TaskStage::sending)
        return;
    StageTimes& times = task->finished->report.times;
    if (times.send_us == 0)
        times.send_us = micros(now - task->finished_at);
    outbox_.tell(ref.orchestrator, std::move(*task->finished));
    tasks_.end(ref);
    outbox_.effect(TaskEnded{ref, "ok"});
    outbox_.effect(DropTask{ref});
}

// ---- engines

void Work::start_next(SlotNo no, TimePoint now) {
    move_engine(no);
    const Slot& slot = slots_.at(no);
    if (slot.engine != EngineState::ready || slot.queue.empty())
        return;
    Task* task = tasks_.find(slot.queue.front());
    MR_CHECK(task != nullptr, "queues hold known tasks");
    if (task->stage != TaskStage::waiting)
        return;
    slots_.set_engine(no, EngineState::busy);
    task->stage = TaskStage::running;
    task->engine_seen = now;
    task->gpu = slot.seated;
    outbox_.effect(StartEngine{no, task->ref, task->dispatch, threads(), task->gpu,
                               /*again=*/task->without_gpu});
    progress(*task, now);
}

// The cores divided by the sessions that hold a slot, whether or not they have a segment right now:
// on a full machine everybody has one thread.
std::uint32_t Work::threads() const {
    return std::clamp(config_.cores / std::max(slots_.reserved(), 1U), 1U, kThreadsPerTaskMax);
}

Task* Work::running_in(SlotNo slot, TaskRef ref) {
    Task* task = tasks_.find(ref);
    const bool runs = task != nullptr && task->stage == TaskStage::running && task->slot == slot;
    return runs ? task : nullptr;
}

void Work::engine_progress(SlotNo slot, TaskRef ref, Duration done, Duration total,
                           std::int64_t frames, TimePoint now) {
    Task* task = running_in(slot, ref);
    if (task == nullptr)
        return;
    task->engine_seen = now;
    task->taken_up = true;
    task->media_done = done;
    task->frames = frames;
    if (task->media_total == Duration{0} && total > Duration{0}) {
        // The engine has measured d: a longer segment than the dispatch took it for has longer.
        const Duration taken_for = std::chrono::milliseconds(
            std::clamp<std::int64_t>(task->dispatch.duration_ms, 0, to_ms(std::chrono::hours(1))));
        const Duration more = deadline_for(total) - deadline_for(taken_for);
        task->deadline += std::max(more, Duration{0});
        task->media_total = total;
        progress(*task, now);
    } else if (now >= task->tell_at) {
        progress(*task, now);
    }
}

void Work::engine_finished(SlotNo slot, TaskRef ref, const TranscodeReport& report,
                           const SeamContext& seam, TimePoint now) {
    Task* task = running_in(slot, ref);
    if (task == nullptr)
        return;
    if (task->source_open)
        return fail(*task,
                    error(ErrorKind::internal, "the engine was done before its source had arrived"),
                    false, now);
    task->stage = TaskStage::sending;
    task->finished = TaskFinished{ref.task, ref.attempt, report, seam};
    StageTimes& times = task->finished->report.times;
    if (times.receive_us == 0)
        times.receive_us = micros(task->received_at - task->accepted_at);
    // Prices measured beside GPUs are of what is left to the CPU: they say nothing of pictures, nor what another
    // machine would take.
    if (board_.any())
        task->finished->report.cpu_us = 0;
    slots_.set_engine(slot, EngineState::ready);
    slots_.dequeue(slot, ref);
    task->finished_at = now;
    progress(*task, now);
    if (const Place gpu = std::exchange(task->suspect, {}))
        gpu_failed(*gpu, slot, "an engine crashed or hung over a segment that the CPU made", now);
    start_next(slot, now);
}

void Work::engine_rendition(SlotNo slot, TaskRef ref) {
    if (Task* task = running_in(slot, ref))
        task->handed_out = true;
}

void Work::engine_failed(SlotNo slot, TaskRef ref, const Error& problem, bool crashed,
                         TimePoint now) {
    Task* task = running_in(slot, ref);
    if (task == nullptr)
        return;
    slots_.set_engine(slot, crashed ? EngineState::replacing : EngineState::ready);
    const Place gpu = task->gpu;
    const bool device = problem.kind == ErrorKind::device;
    const bool again = (device || crashed) && begin_again(*task, now);
    if (gpu && device)
        gpu_failed(*gpu, slot, problem.message, now);
    else if (gpu && again)
        task->suspect = gpu;
    if (!again)
        fail(*task, problem, crashed && task->taken_up && !device, now);
}

void Work::engine_without_gpu(SlotNo slot, const std::string& why, TimePoint now) {
    if (!slots_.valid(slot) || !slots_.at(slot).seated)
        return;
    engine_lost(slot);
    gpu_failed(*slots_.at(slot).seated, slot, why, now);
}

void Work::engine_lost(SlotNo slot) {
    if (slots_.valid(slot) && slots_.at(slot).engine == EngineState::ready)
        slots_.set_engine(slot, EngineState::replacing);
}

void Work::engine_ready(SlotNo slot, TimePoint now) {
    if (!slots_.valid(slot) || slots_.at(slot).engine != EngineState::replacing)
        return;
    slots_.set_engine(slot, EngineState::ready);
    start_next(slot, now);
}

// ---- GPUs

void Work::resize(std::uint32_t slots) {
    slots_wanted_ = std::clamp<std::uint32_t>(slots, 1, kSlotsMax);
    slots_.resize(slots_wanted_);
    reseat();
}

void Work::reseat() {
    if (!board_.any())
        return;
    slots_.offer(board_.offered(slots_wanted_));
    const std::vector<Place> places = board_.seat(slots_.seats());
    for (std::uint32_t no = 0; no < places.size(); ++no) {
        slots_.place(SlotNo{no}, places[no]);
        move_engine(SlotNo{no});
    }
}

void Work::move_engine(SlotNo no) {
    const Slot& slot = slots_.at(no);
    if (slot.engine == EngineState::busy)
        return;
    const Task* head = slot.queue.empty() ? nullptr : tasks_.find(slot.queue.front());
    const Place wanted = head != nullptr && head->without_gpu ? Place{} : slot.place;
    if (wanted == slot.seated)
        return;
    slots_.seat(no, wanted);
    slots_.set_engine(no, EngineState::replacing);
    outbox_.effect(SeatEngine{no, wanted});
}

void Work::gpu_failed(GpuNo gpu, std::optional<SlotNo> over, const std::string& why,
                      TimePoint now) {
    const bool quarantined = board_.failed(gpu, why, now);
    outbox_.effect(GpuFailed{gpu, why, quarantined});
    if (over && !quarantined && slots_.at(*over).place == gpu)
        if (const Place other = board_.instead_of(gpu, slots_.seats()))
            slots_.place(*over, other);
    reseat();
}

bool Work::begin_again(Task& task, TimePoint now) {
    if (!task.gpu || task.handed_out)
        return false;
    task.without_gpu = true;
    task.gpu.reset();
    task.stage = TaskStage::waiting;
    task.taken_up = false;
    task.media_done = Duration{0};
    task.frames = 0;
    progress(task, now);
    start_next(task.slot, now);
    return true;
}

// ---- ends

void Work::end(TaskRef ref, std::string outcome, TimePoint now) {
    const Task* task = tasks_.find(ref);
    MR_CHECK(task != nullptr, "only a held task can end");
    const SlotNo slot = task->slot;
    if (task->stage == TaskStage::running && slots_.at(slot).engine == EngineState::busy) {
        slots_.set_engine(slot, EngineState::replacing);
        outbox_.effect(StopEngine{slot, ref});
    }
    tasks_.end(ref);
    slots_.dequeue(slot, ref);
    outbox_.effect(TaskEnded{ref, std::move(outcome)});
    outbox_.effect(DropTask{ref});
    start_next(slot, now);
}

void Work::fail(Task& task, const Error& problem, bool suspect, TimePoint now) {
    const TaskRef ref = task.ref;
    TaskFailed failed{ref.task, ref.attempt, problem.kind, problem.message};
    failed.started = task.stage == TaskStage::running || task.stage == TaskStage::sending;
    failed.engine_crashed = suspect;
    // An engine that reported by itself is not at work any more; one that is gets stopped.
    if (task.stage == TaskStage::running && slots_.at(task.slot).engine != EngineState::busy)
        task.stage = TaskStage::waiting;
    outbox_.tell(ref.orchestrator, std::move(failed));
    end(ref, outcome_of(problem.kind), now);
}

void Work::cut_transfers(OrchestratorIndex which, TimePoint now) {
    for (const TaskRef& ref : tasks_.of(which)) {
        const Task* task = tasks_.find(ref);
        if (task != nullptr && task->source_open)
            end(ref, "failed", now);
    }
}

void Work::retell(OrchestratorIndex which, TimePoint now) {
    for (const TaskRef& ref : tasks_.of(which))
        progress(*tasks_.find(ref), now);
}

void Work::void_all(OrchestratorIndex which, TimePoint now) {
    // From the last to the first: nothing is started only to be stopped.
    std::vector<TaskRef> refs = tasks_.of(which);
    std::reverse(refs.begin(), refs.end());
    const std::vector<SlotOwner> owners = slots_.owners_of(which);
    for (const SlotOwner& owner : owners) {
        const std::deque<TaskRef> queue = slots_.at(*slots_.find(owner)).queue;
        for (auto task = queue.rbegin(); task != queue.rend(); ++task)
            end(*task, "cancelled", now);
    }
    for (const TaskRef& ref : refs)
        if (tasks_.find(ref) != nullptr)
            end(ref, "cancelled", now);
    for (const SlotOwner& owner : owners)
        if (const auto slot = slots_.find(owner))
            slots_.release(*slot);
    tasks_.forget_ended(which);
}

void Work::stop_everything(TimePoint now) {
    for (std::uint32_t which = 0; which < config_.orchestrators.size(); ++which)
        void_all(OrchestratorIndex{which}, now);
}

// ---- time

void Work::progress(Task& task, TimePoint now) {
    task.tell_at = now + config_.progress_every;
    outbox_.tell(task.ref.orchestrator,
                 TaskProgress{task.ref.task, task.ref.attempt, task.stage, micros(task.media_done),
                              micros(task.media_total), task.frames});
}

TimePoint Work::due(const Task& task) const {
    TimePoint when = task.deadline;
    if (silent_matters(task))
        when = std::min(when, task.engine_seen + config_.engine_silence);
    if (task.stage == TaskStage::running || task.stage == TaskStage::waiting)
        when = std::min(when, task.tell_at);
    return when;
}

std::optional<TimePoint> Work::next_deadline() const {
    std::optional<TimePoint> next;
    for (const auto& [ref, task] : tasks_.all())
        next = next ? std::min(*next, due(task)) : due(task);
    return next;
}

bool Work::hung_on_gpu(Task& task, TimePoint now) {
    const Place gpu = task.gpu;
    if (!gpu || task.handed_out)
        return false;
    slots_.set_engine(task.slot, EngineState::replacing);
    outbox_.effect(StopEngine{task.slot, task.ref});
    task.suspect = gpu;
    return begin_again(task, now);
}

void Work::expire(Task& task, TimePoint now) {
    const TimePoint silent = task.engine_seen + config_.engine_silence;
    if (silent_matters(task) && now >= silent) {
        // A loop without an end costs an engine just as a crash does.
        const bool suspect = task.taken_up && now <= silent + kTimerLateMax;
        if (suspect && hung_on_gpu(task, now))
            return;
        return fail(task, error(ErrorKind::timeout, "the engine made no progress"), suspect, now);
    }
    if (now >= task.deadline)
        return fail(task, error(ErrorKind::timeout, "the deadline has passed"), false, now);
    if (now >= task.tell_at &&
        (task.stage == TaskStage::running || task.stage == TaskStage::waiting))
        progress(task, now);
}

void Work::advance_to(TimePoint now) {
    std::vector<TaskRef> refs;
    for (const auto& [ref, task] : tasks_.all())
        if (now >= due(task))
            refs.push_back(ref);
    for (const TaskRef& ref : refs)
        if (Task* task = tasks_.find(ref); task != nullptr && now >= due(*task))
            expire(*task, now);
}

void Work::check_invariants() const {
    slots_.check_invariants();
    board_.check_invariants(slots_.seats());
    for (const auto& [ref, task] : tasks_.all()) {
        const Slot& slot = slots_.at(task.slot);
        const auto times = std::count(slot.queue.begin(), slot.queue.end(), ref);
        MR_CHECK(times == (task.stage == TaskStage::sending ? 0 : 1),
                 "a task that is sent has left its slot, every other stands in it");
        MR_CHECK(task.stage != TaskStage::running || slot.queue.front() == ref,
                 "what runs is the head of its slot");
        MR_CHECK((task.stage == TaskStage::sending) == task.finished.has_value(),
                 "a report is there when the engine is done");
    }
    for (std::uint32_t no = 0; no < slots_.count(); ++no) {
        const Slot& slot = slots_.at(SlotNo{no});
        MR_CHECK(slot.queue.size() <= config_.tasks_per_slot_max, "queues are bounded");
        const Task* head = slot.queue.empty() ? nullptr : tasks_.find(slot.queue.front());
        const bool runs = head != nullptr && head->stage == TaskStage::running;
        MR_CHECK((slot.engine == EngineState::busy) == runs, "an engine is busy with the head");
        MR_CHECK(!runs || !head->without_gpu || !head->gpu, "who was failed by a GPU gets none");
        MR_CHECK(slot.engine != EngineState::ready || head == nullptr ||
                     head->stage != TaskStage::waiting,
                 "no task waits for a ready engine");
    }
}

}  // namespace millrace::transcoder
