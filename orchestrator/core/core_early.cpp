// Early attempts: a segment goes to its session's transcoder while its bytes still arrive.
//
// - Only where it can cost nobody anything: the session has a slot, nothing of it waits or runs (what is being
//   committed has left the transcoder, and its seam context is known), it is the session's only upload, and its
//   number is new. A repeat is never begun early: its answer may be there.
// - An early attempt belongs to its upload. When the body is complete and accepted it becomes the task's first
//   attempt; until then it takes no part in deadlines, doubts or retries, and whatever happens to it is either
//   forgotten (the task is dispatched anew) or told to the task once there is one.
// - Whoever is complete goes first: when another upload of the session is accepted, the early attempt is
//   withdrawn, for the slot works in the order of dispatch.

#include <algorithm>

#include "common/base/check.h"
#include "orchestrator/core/core_impl.h"
#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {

using Impl = OrchestratorCore::Impl;
using What = Noted::What;

void Impl::upload_arrives(UploadId id, TimePoint now) {
    advance(now);
    if (const auto found = uploads_.find(id); found != uploads_.end()) {
        found->second.arrives = true;
        begin_early(*found->second.session);
    }
    settle();
}

// Called whenever one of the conditions may have come true.
void Impl::begin_early(Session& s) {
    if (!config_.cut_through || s.ended || s.early_upload || s.uploads + s.repeats != 1 ||
        now_ < s.no_early_before)
        return;
    const auto found = uploads_.find(s.last_upload);
    Holding* slot = s.slot();
    if (found == uploads_.end() || slot == nullptr || !slot->granted || !slot->at->usable())
        return;
    Upload& upload = found->second;
    const bool at_rest = std::all_of(s.tasks.begin(), s.tasks.end(), [this](TaskId id) {
        return static_cast<bool>(tasks_.find(id)->committing);
    });
    if (upload.arrives && at_rest && s.has_seq && upload.seq > s.last_seq)
        dispatch_early(s, found->first, upload, *slot);
}

void Impl::dispatch_early(Session& s, UploadId id, Upload& upload, const Holding& slot) {
    EarlyAttempt early;
    early.task = tasks_.next_id();
    early.attempt.no = AttemptNo{1};
    early.attempt.at = slot.at;
    early.attempt.order = tasks_.next_order();
    early.attempt.dispatched_at = early.attempt.progressed_at = now_;
    retry_budget_.dispatched();
    hedge_budget_.dispatched();

    Dispatch d;
    d.task = early.task;
    d.attempt = early.attempt.no;
    d.segment = SegmentKey{s.id, s.run, upload.seq, {}};
    d.duration_ms = upload.duration ? to_ms(std::min(*upload.duration, kSegmentMax)) : 0;
    d.time_left_ms = to_ms(config_.upload_max + config_.deadline_max);
    d.ladder = s.ladder;
    d.allow_audio_only = true;
    d.cost = slot.cost;
    d.seam = s.seams.handed_to(d.segment);
    early.attempt.told_headers = pins(d.seam);
    emit(Send{slot.at->key, std::move(d)});
    emit(StartEarlyTransfer{slot.at->key, source_of(early), id});
    s.early_upload = id;
    early_.emplace(early.task, id);
    upload.early = std::move(early);
}

TransferId Impl::source_of(const EarlyAttempt& early) {
    return {early.task, early.attempt.no, Direction::to_transcoder, 0};
}

Impl::EarlyAttempt* Impl::early_of(const Session& s) {
    return s.early_upload ? &*uploads_.at(s.early_upload).early : nullptr;
}

Impl::EarlyAttempt* Impl::early_on_record(const Transcoder& t, TaskId task, AttemptNo attempt) {
    const auto found = early_.find(task);
    if (found == early_.end())
        return nullptr;
    EarlyAttempt& early = *uploads_.at(found->second).early;
    return early.attempt.at == &t && early.attempt.no == attempt ? &early : nullptr;
}

// As if it had never been: the segment, if it comes to that, is dispatched whole.
void Impl::drop_early(Session& s, std::optional<CancelReason> cancel) {
    if (!s.early_upload)
        return;
    Upload& upload = uploads_.at(std::exchange(s.early_upload, {}));
    const EarlyAttempt early = *std::exchange(upload.early, std::nullopt);
    early_.erase(early.task);
    withdraw(early, cancel);
}

void Impl::withdraw(const EarlyAttempt& early, std::optional<CancelReason> cancel) {
    const Transcoder& at = *early.attempt.at;
    if (cancel && at.joined && !early.failed)
        emit(Send{at.key, Cancel{early.task, early.attempt.no, *cancel}});
    emit(DropAttempt{at.key, early.task, early.attempt.no});
}

void Impl::early_failed(EarlyAttempt& early, const TaskFailed& m) {
    if (early.failed)
        return;
    Session& s = *uploads_.at(early_.at(early.task)).session;
    if (m.engine_crashed)
        s.no_early_before = now_ + kPoisonFor;
    early.failed = m;
    emit(DropAttempt{early.attempt.at->key, early.task, early.attempt.no, What::attempt_failed});
}

// The body is complete and is this task: the attempt that is under way is its first.
void Impl::adopt(Task& t, EarlyAttempt early) {
    Transcoder& at = *early.attempt.at;
    t.attempts_made = early.attempt.no.value;
    t.first_dispatch = now_;
    early.attempt.progressed_at = now_;
    early.attempt.watched = early.attempt.started;
    if (!early.failed)
        emit(FinishTransfer{at.key, source_of(early)});
    t.live.push_back(std::move(early.attempt));
    watch(*t.session);
    if (early.failed)
        on(at, *early.failed);
}

}  // namespace millrace::orchestrator
