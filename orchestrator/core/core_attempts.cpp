// Attempts: dispatching, watching, doubting, retrying, giving up.

#include <algorithm>

#include "common/base/check.h"
#include "orchestrator/core/core_impl.h"
#include "orchestrator/core/forecast.h"
#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {

using Impl = OrchestratorCore::Impl;
using What = Noted::What;

void Impl::dispatch(Task& t, Holding& h, bool second) {
    MR_CHECK(t.attempts_bound() < config_.attempts_max && t.live.size() < 2,
             "attempts are bounded");
    MR_CHECK(h.granted && h.at->usable(), "tasks go into granted slots that can take them");
    Session& s = *t.session;
    Attempt a;
    a.no = AttemptNo{++t.attempts_made};
    a.at = h.at;
    a.order = tasks_.next_order();
    a.second = second;
    a.dispatched_at = a.progressed_at = now_;
    if (!t.first_dispatch)
        t.first_dispatch = now_;
    retry_budget_.dispatched();
    hedge_budget_.dispatched();

    Dispatch d;
    d.task = t.id;
    d.attempt = a.no;
    d.segment = t.segment;
    d.bytes = t.bytes;
    d.duration_ms = t.declared || t.measured ? to_ms(t.duration) : 0;
    d.time_left_ms = std::max<std::int64_t>(0, to_ms(t.deadline - now_));
    d.ladder = s.ladder;
    d.allow_audio_only = t.allow_audio_only;
    d.cost = h.cost;
    d.seam = s.seams.handed_to(t.segment);
    a.told_headers = pins(d.seam);
    emit(Send{h.at->key, std::move(d)});
    emit(StartTransfer{h.at->key, TransferId{t.id, a.no, Direction::to_transcoder, 0}});
    t.live.push_back(std::move(a));
    watch(s);
}

// Whoever has become head of its queue is expected to make progress from now on.
void Impl::watch(Session& s) {
    const std::vector<Task*> tasks = tasks_of(s);
    for (Task* task : tasks) {
        for (Attempt& a : task->live) {
            if (a.watched)
                continue;
            const bool waits = std::any_of(tasks.begin(), tasks.end(), [&a](const Task* other) {
                return std::any_of(other->live.begin(), other->live.end(), [&a](const Attempt& b) {
                    return b.at == a.at && b.order < a.order && !b.leaving();
                });
            });
            if (waits)
                continue;
            a.watched = true;
            a.progressed_at = now_;
        }
        arm_task(*task);
    }
}

void Impl::arm_task(const Task& t) {
    const TimerKey key{TimerKind::task, t.id.value};
    if (t.committing)
        return timers_.cancel(key);
    TimePoint at = t.deadline;
    for (const Attempt& a : t.live)
        if (a.watched)
            at = std::min(at, a.progressed_at + config_.progress_timeout);
    if (!t.half_passed)
        at = std::min(at, t.half_time());
    if (t.live.empty() && t.not_before && *t.not_before > now_)
        at = std::min(at, *t.not_before);
    timers_.set(key, at);
}

void Impl::on_task_timer(TaskId id) {
    Task* t = tasks_.find(id);
    if (t == nullptr || t->committing)
        return;
    if (now_ >= t->deadline)
        return fail(
            *t,
            Refusal{ApiCode::deadline_exceeded, "no attempt finished before the segment's deadline",
                    std::chrono::seconds(1)},
            CancelReason::deadline);
    const auto stalled = std::find_if(t->live.begin(), t->live.end(), [this](const Attempt& a) {
        return a.watched && a.progressed_at + config_.progress_timeout <= now_;
    });
    if (stalled != t->live.end()) {
        Transcoder& at = *stalled->at;
        t->learned(at, Verdict::rather_not);
        end_attempt(*t, stalled->no, What::attempt_stalled, CancelReason::stalled);
        retry(*t, at, Reaction::elsewhere_or_again, false, "stalled", "it made no progress");
        return on_task_timer(id);  // the other attempt, and the rest below; gone if that was all
    }
    if (!t->half_passed && now_ >= t->half_time()) {
        t->half_passed = true;
        doubt(*t);
    }
    if (t->waiting() && t->not_before && *t->not_before <= now_)
        serve(*t->session);
    if ((t = tasks_.find(id)) != nullptr)
        arm_task(*t);
}

void Impl::end_attempt(Task& t, AttemptNo no, What what, std::optional<CancelReason> cancel) {
    const auto found =
        std::find_if(t.live.begin(), t.live.end(), [no](const Attempt& a) { return a.no == no; });
    MR_CHECK(found != t.live.end(), "only a live attempt ends");
    const Attempt a = std::move(*found);
    t.live.erase(found);
    if (cancel && a.at->joined)
        emit(Send{a.at->key, Cancel{t.id, a.no, *cancel}});
    emit(DropAttempt{a.at->key, t.id, a.no, what});
    if (a.started)
        t.attempts_spent += 1;
    for (const auto& [index, r] : a.received) {
        t.rendition_bytes -= r.bytes;
        payload_bytes_ -= r.bytes;
    }
    if (what != What::attempt_superseded)
        a.at->failures += 1;
    if (a.second)
        note(What::hedge_lost, a.at);
    note(what, a.at);
}

void Impl::retry(Task& t, Transcoder& at, Reaction how, bool free, std::string_view why,
                 const std::string& detail) {
    Session& s = *t.session;
    if (!t.live.empty()) {
        // The other attempt goes on, and the session with it.
        const Holding* h = s.holding_at(*t.live.front().at);
        const Holding* slot = s.slot();
        if (h != nullptr && h->granted && h->at->usable() && (slot == nullptr || slot->at == &at))
            s.primary = h->id;
        return serve(s);
    }
    if (t.attempts_bound() >= config_.attempts_max)
        return fail(t, attempts_used_up(detail), CancelReason::superseded);
    if (!free && !retry_budget_.take(retry_burst()))
        return fail(t, attempts_used_up(detail + " (too many retries at the moment)"),
                    CancelReason::superseded);
    note(What::retry, &at, std::string(why));
    const Holding* slot = s.slot();
    const bool moved_on =
        slot != nullptr && slot->at->keepable() && !t.has_tried(*slot->at, Verdict::rather_not);
    if (!moved_on) {
        const auto tried = [this, &s](const Transcoder& other) {
            return tried_by_waiting(s, other, Verdict::rather_not);
        };
        if (Transcoder* other = choose(s, tried, true))
            take_slot(s, *other);
        else if (how == Reaction::elsewhere)
            return fail(t, nobody_else_can(detail), CancelReason::superseded);
        else if (slot != nullptr)
            t.not_before = now_ + retry_pause(++t.turned_away);
    }
    serve(s);
}

std::int64_t Impl::retry_burst() {
    std::int64_t slots = 1;
    for (const Transcoder* t : registry_.ready())
        slots = std::max<std::int64_t>(slots, t->slots);
    return slots * config_.in_flight_max;
}

void Impl::fail(Task& t, Refusal refusal, CancelReason cancel) {
    while (!t.live.empty()) {
        const Attempt& a = t.live.front();
        const bool late = refusal.code == ApiCode::deadline_exceeded;
        end_attempt(t, a.no, late ? What::attempt_late : What::attempt_superseded, cancel);
    }
    Session& s = *t.session;
    if (refusal.code == ApiCode::bad_segment)
        note(What::segment_bad_input);
    else if (refusal.code == ApiCode::not_found)
        note_refused(What::segment_cancelled, refusal.code);
    else
        note_refused(What::segment_failed, refusal.code);
    s.segments_failed += 1;
    emit(Fail{t.id, t.segment, s.stream, std::move(refusal)});
    finish_task(t);
    release_if_unproven(s);
}

void Impl::finish_task(Task& t) {
    Session& s = *t.session;
    payload_bytes_ -= t.bytes + t.rendition_bytes;
    timers_.cancel({TimerKind::task, t.id.value});
    s.tasks.erase(t.id);
    tasks_.erase(t.id);
    prune(s);
    watch(s);
    refresh(s);
}

// ---- doubt --------------------------------------------------------------------------------------

std::optional<TimePoint> Impl::forecast(const Task& t, const Attempt& a) {
    // A head tells by itself. What waits behind it ends when those before it have ended.
    if (a.watched)
        return a.started
                   ? forecast_running(a.running_since, now_, a.media_done_us, a.media_total_us)
                   : std::nullopt;
    const std::uint32_t speed = a.at->speed.permille();
    if (speed == 0)
        return std::nullopt;
    TimePoint end = now_ + work_time(t.duration, speed);
    for (const Task* other : tasks_of(*t.session))
        for (const Attempt& before : other->live)
            if (before.at == a.at && before.order < a.order && !before.leaving()) {
                const auto known =
                    before.started ? forecast_running(before.running_since, now_,
                                                      before.media_done_us, before.media_total_us)
                                   : std::nullopt;
                end += known ? *known - now_ : work_time(other->duration, speed);
            }
    return end;
}

// Half the time is over and nobody can say that the attempt will make it: a second one, elsewhere.
void Impl::doubt(Task& t) {
    if (t.doubted || !t.half_passed || t.committing || t.live.size() != 1)
        return;
    const Attempt& a = t.live.front();
    const auto expected = forecast(t, a);
    if (a.finished || (expected && *expected <= t.deadline) ||
        t.attempts_bound() >= config_.attempts_max)
        return;
    Session& s = *t.session;
    const auto excluded = [&](const Transcoder& other) {
        return &other == a.at || t.has_tried(other, Verdict::rather_not);
    };
    Transcoder* other = choose(s, excluded, false);
    if (other == nullptr || !hedge_budget_.take(kHedgeBurst))
        return;
    t.doubted = true;
    Holding* h = s.holding_at(*other);
    if (h == nullptr)
        h = &reserve(s, *other, 1);
    if (h->granted)
        dispatch(t, *h, true);
    else
        t.second_slot = h->id;
    refresh(s);
}

// An attempt that will be late ends when another transcoder would be in time.
void Impl::judge_forecast(Task& t, AttemptNo no) {
    const Attempt* a = t.attempt(no);
    if (a == nullptr || !a->started || a->finished)
        return;
    const auto expected = forecast(t, *a);
    if (!expected || *expected <= t.deadline)
        return;
    if (t.half_passed)
        return doubt(t);
    if (t.live.size() != 1 || t.attempts_spent + 1 >= config_.attempts_max)
        return;
    Session& s = *t.session;
    const auto excluded = [&](const Transcoder& other) {
        return &other == a->at || t.has_tried(other, Verdict::rather_not) ||
               now_ + work_time(t.duration, other.speed.permille()) > t.deadline;
    };
    Transcoder* other = choose(s, excluded, false);
    if (other == nullptr || !retry_budget_.take(retry_burst()))
        return;
    Transcoder& at = *a->at;
    t.learned(at, Verdict::rather_not);
    end_attempt(t, no, What::attempt_late, CancelReason::superseded);
    take_slot(s, *other);
    retry(t, at, Reaction::elsewhere_or_again, true, "late", "it would have been late");
}

}  // namespace millrace::orchestrator
