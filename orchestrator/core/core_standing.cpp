// Transcoders: losing one, what an operator says about one, and how its state is told.

#include <algorithm>

#include "orchestrator/core/core_impl.h"
#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {

using Impl = OrchestratorCore::Impl;
using What = Noted::What;

// ---- losing -------------------------------------------------------------------------------------

void Impl::lose(Transcoder& t, std::string reason, bool gone_for_good) {
    t.joined = false;  // from here on nothing is sent to it or placed on it
    registry_.touch();
    const std::vector<SessionNo> held(t.sessions.begin(), t.sessions.end());
    for (const SessionNo no : held)
        lose_session(t, *sessions_.find(no));
    registry_.lose(t, std::move(reason), now_);
    if (gone_for_good)
        t.shown = false;
    changed(t);
}

void Impl::lose_session(Transcoder& t, Session& s) {
    std::vector<TaskId> lost;
    for (Task* task : tasks_of(s)) {
        const auto there = std::find_if(task->live.begin(), task->live.end(),
                                        [&t](const Attempt& a) { return a.at == &t; });
        if (there == task->live.end())
            continue;
        task->learned(t, Verdict::rather_not);
        end_attempt(*task, there->no, What::attempt_lost, std::nullopt);
        if (task->live.empty())
            lost.push_back(task->id);
    }
    const bool was_slot = s.slot() != nullptr && s.slot()->at == &t;
    drop_holding(s, s.holding_at(t)->id, false);
    if (was_slot)
        s.orphaned = !s.ended && !s.in_idle;
    for (const TaskId id : lost) {
        Task& task = *tasks_.find(id);
        if (task.attempts_bound() >= config_.attempts_max)
            fail(task, attempts_used_up("the transcoder was lost"), CancelReason::superseded);
        else
            note(What::retry, &t, "lost");
    }
    // The session waits; when all losses are known the oldest is served first. One that keeps a
    // slot elsewhere goes on there at once.
    if (s.primary)
        serve(s);
    else
        refresh(s);
}

void Impl::quarantine(Transcoder& t) {
    unseat_all(t);
    changed(t);
}

// ---- standing -----------------------------------------------------------------------------------

Result<void> Impl::command(std::string_view name, TranscoderCommand what, TimePoint now) {
    advance(now);
    Transcoder* t = registry_.find_name(name);
    if (t == nullptr) {
        settle();
        return error(ErrorKind::bad_input, "no transcoder is called " + std::string(name));
    }
    switch (what) {
        case TranscoderCommand::drain:
            t->draining = t->told_to_leave = true;
            if (t->joined)
                emit(Send{t->key, DrainRequest{true}});
            unseat_all(*t);
            break;
        case TranscoderCommand::cordon:
            t->cordoned = true;
            emit(KeepCordon{t->key, true});
            break;
        case TranscoderCommand::uncordon:
            if (t->told_to_leave && t->joined) {
                settle();
                return error(ErrorKind::bad_input, std::string(name) +
                                                       " was told to leave; it is back when it "
                                                       "has started again");
            }
            t->cordoned = false;
            emit(KeepCordon{t->key, false});
            t->quarantined_until.reset();
            break;
    }
    changed(*t);
    settle();
    return {};
}

void Impl::changed(Transcoder& t) {
    registry_.touch();
    capacity_changed_ = true;
    arm_transcoder(t);
    publish(t);
}

void Impl::publish(Transcoder& t) {
    const std::string state(t.shown ? t.state() : "left");
    const bool first = t.state_told.empty() || t.state_told == "left";
    if ((state == t.state_told && t.name == t.name_told) ||
        (first && (state == "lost" || state == "left")))
        return;
    // A lane that went down while we were away is coming back.
    if (state == "lost" && t.joined && now_ < patient_until_)
        return;
    const std::string name = t.name.empty() ? t.name_told : t.name;
    std::string reason;
    if (t.quarantined() && state == "quarantined")
        reason = t.quarantine_reason;
    else if (!t.joined)
        reason = t.lost_reason;
    else if (state == "lost")
        reason = "its payload lane is down";
    t.state_told = state;
    t.name_told = t.name;
    emit(TranscoderChanged{t.key, name, state, reason});
}

void Impl::arm_transcoder(const Transcoder& t) {
    std::optional<TimePoint> at;
    const auto consider = [&at](TimePoint when) {
        if (!at || when < *at)
            at = when;
    };
    if (t.joined)
        consider(t.lease_end);
    else if (t.shown)
        consider(t.lost_at + kLostShownFor);
    if (t.joined && now_ < patient_until_)
        consider(patient_until_);
    if (t.quarantined_until)
        consider(*t.quarantined_until);
    if (t.joined && t.lane_down_since)
        consider(*t.lane_down_since + config_.lease);
    timers_.set({TimerKind::transcoder, t.no.value}, at);
}

void Impl::on_transcoder_timer(Transcoder& t) {
    if (t.joined && t.lease_end <= now_)
        return lose(t, "lease ended", false);
    if (t.quarantined_until && *t.quarantined_until <= now_)
        t.quarantined_until.reset();
    if (t.joined && t.lane_down_since && *t.lane_down_since + config_.lease <= now_) {
        t.lane_down_since.reset();
        unseat_all(t);
    }
    if (!t.joined && t.shown && t.lost_at + kLostShownFor <= now_)
        t.shown = false;
    changed(t);
}

void Impl::forget_surplus() {
    while (Transcoder* t = registry_.surplus()) {
        transcoder_keys_.erase(t->no);
        timers_.cancel({TimerKind::transcoder, t->no.value});
        registry_.forget(TranscoderKey{t->key});
    }
}

}  // namespace millrace::orchestrator
