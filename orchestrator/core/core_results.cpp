// Results: progress, renditions, reports, and the two ends of a task that has one.

#include <algorithm>

#include "orchestrator/core/core_impl.h"
#include "orchestrator/core/effort.h"
#include "orchestrator/core/forecast.h"
#include "orchestrator/core/limits.h"
#include "orchestrator/core/result_check.h"

namespace millrace::orchestrator {

using Impl = OrchestratorCore::Impl;
using What = Noted::What;

Impl::OnRecord Impl::on_record(const Transcoder& t, TaskId task, AttemptNo attempt) {
    Task* found = tasks_.find(task);
    if (found == nullptr)
        return {};
    Attempt* a = found->attempt(attempt);
    if (a == nullptr || a->at != &t)
        return {found, nullptr};
    return {found, a};
}

// What is not on record is counted and dropped; the sender is told to drop it too.
void Impl::stale(Transcoder& t, TaskId task, AttemptNo attempt, bool tell) {
    const Task* found = tasks_.find(task);
    if (found != nullptr && found->committing == attempt && found->committing_at == t.no)
        return note(What::stale_duplicate, &t);
    note(What::stale_attempt, &t);
    if (tell && t.joined)
        emit(Send{t.key, Cancel{task, attempt, CancelReason::superseded}});
}

void Impl::took(Attempt& a, const TaskProgress& m, TimePoint now) {
    // A message that says the same again is no progress: a hung engine is told from a slow one.
    const bool moved = m.stage != a.stage || m.media_done_us != a.media_done_us ||
                       m.media_total_us != a.media_total_us || m.frames != a.frames;
    a.stage = m.stage;
    a.media_done_us = m.media_done_us;
    a.media_total_us = m.media_total_us;
    a.frames = m.frames;
    if (moved)
        a.progressed_at = now;
    if (!a.started && (m.stage == TaskStage::running || m.stage == TaskStage::sending)) {
        a.started = true;
        a.watched = true;
        a.running_since = a.progressed_at = now;
    }
}

void Impl::on(Transcoder& t, const TaskProgress& m) {
    if (EarlyAttempt* early = early_on_record(t, m.task, m.attempt))
        return took(early->attempt, m, now_);
    const OnRecord record = on_record(t, m.task, m.attempt);
    if (!record)
        return stale(t, m.task, m.attempt, true);
    took(*record.attempt, m, now_);
    Task& task = *record.task;
    if (m.media_total_us > 0)
        measured(task, std::chrono::microseconds(
                           std::min<std::int64_t>(m.media_total_us, 3'600'000'000)));
    watch(*task.session);
    judge_forecast(task, m.attempt);
}

// The engine knows how long the segment is: the deadline follows, once.
void Impl::measured(Task& t, Duration duration) {
    if (t.measured)
        return;
    t.measured = true;
    t.duration = std::min(duration, kSegmentMax);
    t.session->last_duration = t.duration;
    const TimePoint deadline = deadline_for(t.accepted_at, t.duration, config_);
    if (deadline == t.deadline)
        return;
    t.deadline = deadline;
    expect(t);
}

void Impl::transfer_progress(const TransferId& transfer, const TranscoderKey& with, TimePoint now) {
    advance(now);
    Transcoder* t = registry_.find(with);
    if (t == nullptr || !t->joined)
        return settle();
    t->lease_end = now_ + config_.lease;  // payload that moves is a sign of life, too
    arm_transcoder(*t);
    if (EarlyAttempt* early = early_on_record(*t, transfer.task, transfer.attempt)) {
        early->attempt.progressed_at = now_;
    } else if (const OnRecord record = on_record(*t, transfer.task, transfer.attempt)) {
        record.attempt->progressed_at = now_;
        arm_task(*record.task);
    }
    settle();
}

void Impl::rendition_received(const TransferId& transfer, const TranscoderKey& from,
                              std::uint64_t bytes, const Sha256& sha256, TimePoint now) {
    advance(now);
    Transcoder* t = registry_.find(from);
    const OnRecord record =
        t == nullptr ? OnRecord{} : on_record(*t, transfer.task, transfer.attempt);
    if (!record) {
        if (t != nullptr)
            stale(*t, transfer.task, transfer.attempt, false);
        return settle();
    }
    Task& task = *record.task;
    Attempt& a = *record.attempt;
    if (transfer.direction != Direction::to_orchestrator ||
        transfer.index >= task.session->ladder.size())
        return settle();
    const Received received{bytes, sha256};
    const auto [known, fresh] = a.received.emplace(transfer.index, received);
    if (!fresh && known->second != received) {
        bad_result(task, a.no, "a rendition came twice with different bytes");
        return settle();
    }
    if (fresh) {
        task.rendition_bytes += bytes;
        payload_bytes_ += bytes;
    }
    a.progressed_at = now_;
    arm_task(task);
    try_commit(task, a.no);
    settle();
}

void Impl::transfer_failed(const TransferId& transfer, const TranscoderKey& with,
                           const Error& problem, TimePoint now) {
    advance(now);
    Transcoder* t = registry_.find(with);
    if (t == nullptr)
        return settle();
    if (const auto early = early_.find(transfer.task);
        early != early_.end() && early_on_record(*t, transfer.task, transfer.attempt) != nullptr)
        drop_early(*uploads_.at(early->second).session, CancelReason::stalled);
    const OnRecord record = on_record(*t, transfer.task, transfer.attempt);
    if (!record)
        return settle();
    Task& task = *record.task;
    task.learned(*t, Verdict::rather_not);
    end_attempt(task, transfer.attempt, What::attempt_failed, CancelReason::stalled);
    // Whatever broke the transfer, the segment is not to blame for it. A lane that went away is a
    // loss, and losses are never refused a retry.
    retry(task, *t, Reaction::elsewhere_or_again, problem.kind == ErrorKind::disconnected,
          "transfer", problem.message);
    settle();
}

void Impl::on(Transcoder& t, const TaskFinished& m) {
    if (EarlyAttempt* early = early_on_record(t, m.task, m.attempt))
        return early_failed(*early, TaskFailed{m.task, m.attempt, ErrorKind::internal,
                                               "it reported a result of half a segment"});
    const OnRecord record = on_record(t, m.task, m.attempt);
    if (!record)
        return stale(t, m.task, m.attempt, true);
    Attempt& a = *record.attempt;
    if (a.finished)
        return note(What::stale_duplicate, &t);
    Task& task = *record.task;
    if (!a.started) {
        a.started = true;
        a.running_since = a.dispatched_at;
    }
    a.watched = true;
    a.progressed_at = now_;
    if (auto problem = wrong_with(m.report, task.session->ladder, task.allow_audio_only))
        return bad_result(task, m.attempt, *problem);
    if (auto problem = take_receipt(task, a, m))
        return bad_result(task, m.attempt, *problem);
    a.finished = m;
    a.stage = TaskStage::sending;
    if (worth_making_again(task, a))
        return make_again(task, m.attempt);
    watch(*task.session);
    try_commit(task, m.attempt);
}

void Impl::on(Transcoder& t, const TaskFailed& m) {
    if (EarlyAttempt* early = early_on_record(t, m.task, m.attempt))
        return early_failed(*early, m);
    const OnRecord record = on_record(t, m.task, m.attempt);
    if (!record)
        return stale(t, m.task, m.attempt, false);
    Task& task = *record.task;
    record.attempt->started |= m.started || m.engine_crashed;
    const bool turned_away = m.kind == ErrorKind::overloaded && !record.attempt->started;
    task.learned(t, m.kind == ErrorKind::unsupported ? Verdict::never : Verdict::rather_not);
    end_attempt(task, m.attempt, turned_away ? What::attempt_refused : What::attempt_failed,
                std::nullopt);
    if (!turned_away)
        t.segments_failed += 1;
    const bool poison = m.engine_crashed && poison_.crashed(task.segment.sha256, now_);
    if (poison)
        return fail(
            task,
            Refusal{ApiCode::bad_segment,
                    "the segment crashed or hung the transcoding engine twice", std::nullopt},
            CancelReason::superseded);
    const Reaction how = reaction(m.kind);
    if (how == Reaction::give_up)
        return fail(task, Refusal{ApiCode::bad_segment, m.message, std::nullopt},
                    CancelReason::superseded);
    if (m.kind == ErrorKind::device && Registry::device_failed(t, now_))
        quarantine(t);
    // Being turned away costs nobody work: pauses bound it, not the budget.
    retry(task, t, how, turned_away, turned_away ? "refused" : "failed", m.message);
}

void Impl::bad_result(Task& t, AttemptNo no, const std::string& problem) {
    Transcoder& at = *t.attempt(no)->at;
    at.segments_failed += 1;
    t.learned(at, Verdict::rather_not);
    end_attempt(t, no, What::bad_result, CancelReason::superseded);
    if (Registry::strike(at, now_))
        quarantine(at);
    retry(t, at, Reaction::elsewhere_or_again, false, "bad_result",
          "its result was not valid: " + problem);
}

void Impl::try_commit(Task& t, AttemptNo no) {
    const Attempt& a = *t.attempt(no);
    if (!a.finished)
        return;
    switch (arrival(a.finished->report, a.received)) {
        case Arrival::missing:
            return;
        case Arrival::different:
            return bad_result(t, no, "a rendition is not the one that was reported");
        case Arrival::complete:
            return commit(t, no);
    }
}

// Made before anything of its session was committed, and with other headers. Where there is no time
// or no attempt left it is committed as it is.
bool Impl::worth_making_again(const Task& t, const Attempt& a) const {
    return !a.told_headers && !t.made_again && t.live.size() == 1 &&
           t.attempts_bound() < config_.attempts_max && now_ < t.half_time() &&
           pins(t.session->seams.handed_to(t.segment)) &&
           t.session->seams.differs(a.finished->report);
}

void Impl::make_again(Task& t, AttemptNo no) {
    Transcoder& at = *t.attempt(no)->at;
    t.made_again = true;
    end_attempt(t, no, What::attempt_superseded, CancelReason::superseded);
    retry(t, at, Reaction::elsewhere_or_again, true, "headers",
          "its headers were not those of the segments before");
}

void Impl::commit(Task& t, AttemptNo no) {
    const auto found =
        std::find_if(t.live.begin(), t.live.end(), [no](const Attempt& a) { return a.no == no; });
    Attempt won = std::move(*found);
    t.live.erase(found);
    t.committing = no;
    t.committing_at = won.at->no;
    t.committing_name = won.at->name;
    t.result = std::move(won.finished->report);
    timers_.cancel({TimerKind::task, t.id.value});
    while (!t.live.empty())
        end_attempt(t, t.live.front().no, What::attempt_superseded, CancelReason::superseded);
    note(What::attempt_ok, won.at);
    if (won.second)
        note(What::hedge_won, won.at);

    Session& s = *t.session;
    if (t.segment.run == s.run)
        s.seams.committed(t.segment, t.result, std::move(won.finished->seam), won.told_headers);
    const SourceInfo& source = t.result.source;
    if (source.duration > Duration::zero()) {
        s.last_duration = std::min(source.duration, kSegmentMax);
        const Duration seen = now_ - won.running_since;
        const Duration work =
            t.result.times.total_us > 0
                ? std::min<Duration>(std::chrono::microseconds(std::min<std::int64_t>(
                                         t.result.times.total_us, 3'600'000'000)),
                                     seen)
                : seen;
        won.at->speed.add(s.last_duration, work);
        s.speed.add(s.last_duration, work);
    }
    learn_cost(t, *won.at);
    // The slot that was faster is the session's from here on.
    if (const Holding* h = s.holding_at(*won.at); won.second && h != nullptr && h->at->keepable())
        s.primary = h->id;
    emit(Commit{t.id, no, t.segment, s.stream, s.account, won.at->key, won.at->name, t.bytes,
                t.result, std::move(won.receipt)});
    serve(s);
    watch(s);
}

// What the session costs, as this segment shows: its pixels, and how dear they are to the CPU.
void Impl::learn_cost(const Task& t, const Transcoder& at) {
    Session& s = *t.session;
    const auto cost = measured_cost(t.result, s.ladder, t.bytes);
    if (!cost)
        return;
    if (const auto seen = effort_of(t.result, *cost, at.capacity.cpu))
        s.effort.add(*seen, t.result.source.duration);
    charge(s, with_effort(*cost, s.effort.permille(), at.capacity.cpu));
}

void Impl::committed(TaskId id, AttemptNo attempt, const Result<void>& result, TimePoint now) {
    advance(now);
    Task* t = tasks_.find(id);
    if (t == nullptr || t->committing != attempt)
        return settle();
    if (result)
        deliver(*t);
    else
        fail(*t,
             Refusal{ApiCode::storage_unavailable,
                     "the result could not be recorded: " + result.error().message,
                     std::chrono::seconds(5)},
             CancelReason::superseded);
    settle();
}

void Impl::deliver(Task& t) {
    Session& s = *t.session;
    s.segments_ok += 1;
    s.proven = true;
    const auto key = transcoder_keys_.find(t.committing_at);
    Transcoder* at = key != transcoder_keys_.end() ? registry_.find(key->second) : nullptr;
    std::int64_t pixels = 0;
    std::uint64_t bytes = t.bytes;
    for (const RenditionReport& r : t.result.renditions) {
        pixels += r.pixels;
        bytes += r.bytes;
    }
    quotas_.charge_pixels(s.account, pixels, now_);
    if (at != nullptr) {
        at->segments_ok += 1;
        at->pixels += pixels;
    }
    const AnswerId answer{++last_answer_};
    note(What::segment_ok, at);
    emit(Deliver{t.id, t.committing, answer, t.segment, s.stream, std::move(t.result),
                 std::move(t.committing_name), t.first_dispatch.value_or(now_) - t.accepted_at,
                 now_ - t.accepted_at, t.discontinuity});
    for (const AnswerId gone :
         window_.add(s.no, {t.segment.run, t.segment.seq}, t.segment.sha256, answer, bytes, now_))
        emit(ForgetAnswer{gone});
    if (s.ended)
        window_.session_ended(s.no);
    finish_task(t);
}

}  // namespace millrace::orchestrator
