// Slots: who gets one where, who loses one, and what is dispatched into them.

#include <algorithm>

#include "common/base/check.h"
#include "orchestrator/core/core_impl.h"
#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {

using Impl = OrchestratorCore::Impl;
using What = Noted::What;

// Capacity changed: sessions that wait are served oldest first, until there is nothing to give.
void Impl::place_waiting() {
    if (sessions_.wanting().empty())
        return;
    std::uint64_t room = 0;
    for (const Transcoder* t : registry_.ready())
        room += t->headroom();
    std::vector<SessionNo> waiting;
    for (const auto& [since, no] : sessions_.wanting())
        waiting.push_back(no);
    for (const SessionNo no : waiting) {
        Session* s = sessions_.find(no);
        if (s == nullptr || !s->in_wanting)
            continue;
        if (room == 0 && sessions_.idle().empty() && s->holdings.empty())
            continue;
        serve(*s);
        if (s->primary && room > 0)
            --room;
    }
}

void Impl::serve(Session& s) {
    Holding* slot = s.slot();
    if (slot != nullptr && !slot->at->usable()) {
        if (Transcoder* t = choose(s))
            take_slot(s, *t);
        else if (!slot->at->keepable())
            give_up_slot(s);
    }
    if (!s.primary && (s.orphaned || has_waiting(s)))
        if (Transcoder* t = choose(s))
            take_slot(s, *t);
    slot = s.slot();
    if (slot != nullptr && slot->granted && slot->at->usable())
        dispatch_waiting(s, slot->id);
    prune(s);
    begin_early(s);
    refresh(s);
}

void Impl::dispatch_waiting(Session& s, ReservationId id) {
    for (Task* t : tasks_of(s)) {
        Holding& slot = *s.holding(id);
        // What has not been started elsewhere comes along, so that the order holds.
        if (!t->committing && t->live.size() == 1 && !t->live.front().started &&
            !t->live.front().finished && t->live.front().at != slot.at)
            end_attempt(*t, t->live.front().no, What::attempt_superseded, CancelReason::superseded);
        if (!t->waiting() || (t->not_before && *t->not_before > now_))
            continue;
        t->not_before.reset();
        if (t->has_tried(*slot.at, Verdict::never))
            fail(*t, nobody_else_can("it was turned down as unsupported"),
                 CancelReason::superseded);
        else if (t->attempts_bound() >= config_.attempts_max)
            fail(*t, attempts_used_up("the transcoder was lost"), CancelReason::superseded);
        else
            dispatch(*t, slot, false);
    }
    watch(s);
}

// ---- choosing -----------------------------------------------------------------------------------

Transcoder* Impl::choose(Session& s) {
    const auto excluded = [&](Verdict verdict) {
        return [this, &s, verdict](const Transcoder& t) { return tried_by_waiting(s, t, verdict); };
    };
    if (Transcoder* t = choose(s, excluded(Verdict::rather_not), true))
        return t;
    return choose(s, excluded(Verdict::never), true);
}

Transcoder* Impl::choose(Session& s, const Excluded& excluded, bool may_steal) {
    for (const Holding& h : s.holdings)
        if (h.at->usable() && !excluded(*h.at))
            return h.at;
    if (Transcoder* t = best_free(s, excluded))
        return t;
    return may_steal ? steal(s, excluded) : nullptr;
}

Transcoder* Impl::best_free(const Session& s, const Excluded& excluded) {
    const std::vector<char> able = compatible_classes(s.ladder);
    candidates_.clear();
    candidate_of_.clear();
    for (Transcoder* t : registry_.ready()) {
        if (able[t->capability_class] == 0 || t->headroom() == 0 || avoids(s, *t) || excluded(*t))
            continue;
        candidates_.push_back(
            {&t->key, t->headroom(), t->capacity, t->load(), t->speed.permille()});
        candidate_of_.push_back(t);
    }
    const auto best = pick(candidates_, s.cost);
    return best ? candidate_of_[*best] : nullptr;
}

// Takes the slot of the session that has been idle longest, where it is of use.
Transcoder* Impl::steal(const Session& s, const Excluded& excluded) {
    if (sessions_.idle().empty())
        return nullptr;
    const std::vector<char> able = compatible_classes(s.ladder);
    for (const auto& [since, no] : sessions_.idle()) {
        Session& idle = *sessions_.find(no);
        if (&idle == &s)
            continue;  // while it is served, the list may still show the slot it has just lost
        const Holding& slot = *idle.slot();
        Transcoder& t = *slot.at;
        const Candidate after{&t.key, t.headroom() + 1, t.capacity, t.load() - slot.cost, 0};
        // A lowered claim may leave a transcoder full even without this session.
        const bool frees = t.others + t.reserved <= t.slots;
        if (!frees || !t.ready() || able[t.capability_class] == 0 || avoids(s, t) || excluded(t) ||
            !has_room(after, s.cost))
            continue;
        give_up_slot(idle);
        refresh(idle);
        return &t;
    }
    return nullptr;
}

std::vector<char> Impl::compatible_classes(const Ladder& ladder) {
    std::vector<char> able;
    for (const Capabilities* offered : registry_.capability_classes())
        able.push_back(missing_for(ladder, *offered).empty() ? 1 : 0);
    return able;
}

bool Impl::avoids(const Session& s, const Transcoder& t) const {
    const auto found = s.avoid.find(t.no);
    return found != s.avoid.end() && found->second > now_;
}

bool Impl::tried_by_waiting(const Session& s, const Transcoder& t, Verdict verdict) {
    return std::any_of(s.tasks.begin(), s.tasks.end(), [&](TaskId id) {
        const Task* task = tasks_.find(id);
        return task->waiting() && task->has_tried(t, verdict);
    });
}

// ---- holdings -----------------------------------------------------------------------------------

void Impl::take_slot(Session& s, Transcoder& t) {
    if (s.holding_at(t) == nullptr) {
        // A limit below the slots there are: the newcomer's place is an idle session's.
        if (!s.in_holding && !sessions_.idle().empty() &&
            sessions_.holding_count() >= effective_limit(limits()).sessions) {
            Session& idle = *sessions_.find(sessions_.idle().begin()->second);
            give_up_slot(idle);
            refresh(idle);
        }
        reserve(s, t, 0);
    }
    s.primary = s.holding_at(t)->id;
    for (Task* task : tasks_of(s))
        if (task->second_slot == s.primary && task->live.empty())
            task->second_slot = {};
    refresh(s);
}

Holding& Impl::reserve(Session& s, Transcoder& t, std::uint32_t ordinal) {
    MR_CHECK(t.headroom() > 0 && s.holding_at(t) == nullptr,
             "a slot is reserved where one is free");
    Holding h;
    h.id = ReservationId{++last_reservation_};
    h.at = &t;
    h.ordinal = ordinal;
    h.cost = s.cost;
    h.asked_at = now_;
    t.reserved += 1;
    t.reserved_cost = t.reserved_cost + h.cost;
    t.sessions.insert(s.no);
    reservations_[h.id] = s.no;
    s.holdings.push_back(h);
    send_reserve(s, s.holdings.back());
    return s.holdings.back();
}

// What the session really costs is known now. Whoever has a slot keeps it; the transcoder hears of
// it with the next dispatch.
void Impl::charge(Session& s, const Cost& cost) {
    s.cost = cost;
    for (Holding& h : s.holdings) {
        capacity_changed_ = capacity_changed_ || h.cost != cost;
        h.at->reserved_cost = h.at->reserved_cost - h.cost + cost;
        h.cost = cost;
    }
}

void Impl::send_reserve(Session& s, Holding& h) {
    h.sent_at = now_;
    emit(Send{h.at->key, Reserve{h.id, s.id, h.cost, h.ordinal}});
    timers_.set({TimerKind::reservation, h.id.value},
                std::min(h.sent_at + kGrantResend, h.asked_at + kGrantTimeout));
}

void Impl::drop_holding(Session& s, ReservationId id, bool tell) {
    Holding* h = s.holding(id);
    MR_CHECK(h != nullptr, "only what is held is dropped");
    Transcoder& t = *h->at;
    if (const EarlyAttempt* early = early_of(s); early != nullptr && early->attempt.at == &t)
        drop_early(s, tell ? std::optional(CancelReason::superseded) : std::nullopt);
    t.reserved -= 1;
    t.reserved_cost = t.reserved_cost - h->cost;
    t.sessions.erase(s.no);
    if (tell && t.joined)
        emit(Send{t.key, Release{s.id}});
    reservations_.erase(id);
    timers_.cancel({TimerKind::reservation, id.value});
    std::erase_if(s.holdings, [id](const Holding& held) { return held.id == id; });
    if (s.primary == id)
        s.primary = {};
    for (Task* task : tasks_of(s))
        if (task->second_slot == id)
            task->second_slot = {};
    capacity_changed_ = true;
}

// Lets go of what no attempt lives in, except the session's slot.
void Impl::prune(Session& s) {
    const std::vector<Task*> tasks = tasks_of(s);
    std::vector<ReservationId> unused;
    for (const Holding& h : s.holdings) {
        const bool needed = std::any_of(tasks.begin(), tasks.end(), [&h](const Task* t) {
            return t->second_slot == h.id ||
                   std::any_of(t->live.begin(), t->live.end(),
                               [&h](const Attempt& a) { return a.at == h.at; });
        });
        const bool kept = h.id == s.primary && !(s.ended && tasks.empty());
        if (!needed && !kept)
            unused.push_back(h.id);
    }
    for (const ReservationId id : unused)
        drop_holding(s, id, true);
}

// The session has no slot any more; attempts that still run where it was are left alone.
void Impl::give_up_slot(Session& s) {
    s.orphaned = !s.ended && !s.in_idle;
    s.primary = {};
    prune(s);
}

// Nothing of it ever came out and nothing more of it is here: it keeps its id and token, not its slot.
void Impl::release_if_unproven(Session& s) {
    if (s.proven || s.ended || !s.tasks.empty() || s.arriving())
        return;
    s.orphaned = false;  // nor does it wait for another
    s.primary = {};
    prune(s);
    refresh(s);
}

// Nothing new goes to this transcoder: its sessions look for another, oldest first.
void Impl::unseat_all(Transcoder& t) {
    const std::vector<SessionNo> held(t.sessions.begin(), t.sessions.end());
    for (const SessionNo no : held) {
        Session& s = *sessions_.find(no);
        if (s.slot() == nullptr || s.slot()->at != &t)
            continue;
        give_up_slot(s);
        refresh(s);
    }
    capacity_changed_ = true;
}

void Impl::on_reservation_timer(ReservationId id) {
    const auto found = reservations_.find(id);
    if (found == reservations_.end())
        return;
    Session& s = *sessions_.find(found->second);
    Holding& h = *s.holding(id);
    if (h.granted)
        return;
    if (now_ < h.asked_at + kGrantTimeout)
        return send_reserve(s, h);
    slot_answered_no(s, id, kAvoidBriefly, true);
}

// A slot was refused, or the question stayed unanswered.
void Impl::slot_answered_no(Session& s, ReservationId id, Duration avoid_for, bool tell) {
    Transcoder& t = *s.holding(id)->at;
    s.avoid[t.no] = now_ + avoid_for;
    for (Task* task : tasks_of(s)) {
        // Attempts live in a slot that was lost and asked for again: they have no place any more.
        for (const Attempt& a : std::vector<Attempt>(task->live))
            if (a.at == &t)
                end_attempt(*task, a.no, What::attempt_lost, CancelReason::superseded);
    }
    const bool was_slot = s.primary == id;
    drop_holding(s, id, tell);
    if (was_slot)
        s.orphaned = !s.ended && !s.in_idle;
    serve(s);
}

}  // namespace millrace::orchestrator
