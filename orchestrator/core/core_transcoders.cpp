// Transcoders: joining, fencing, and what their messages and heartbeats reconcile.

#include <algorithm>

#include "common/base/check.h"
#include "orchestrator/core/core_impl.h"
#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {

using Impl = OrchestratorCore::Impl;
using What = Noted::What;

void Impl::on_message(const TranscoderKey& from, const FromTranscoder& message, TimePoint now) {
    advance(now);
    if (revoked_.contains(from))
        return settle();
    if (const auto* hello = std::get_if<Hello>(&message.message)) {
        on_hello(from, message.fence.incarnation, *hello);
        return settle();
    }
    Transcoder* t = registry_.find(from);
    if (fenced(from, message, t))
        return settle();
    t->lease_end = now_ + config_.lease;
    arm_transcoder(*t);
    std::visit([this, t](const auto& m) { on(*t, m); }, message.message);
    settle();
}

// True when the sender is not who is on record; it is asked who it is where that helps.
bool Impl::fenced(const TranscoderKey& key, const FromTranscoder& message, Transcoder* t) {
    if (std::holds_alternative<Enrol>(message.message))
        return true;  // the link and the store answer that
    if (message.fence.epoch != config_.epoch) {
        note(What::stale_epoch, t);
        emit(Send{key, WhoAreYou{}});
        return true;
    }
    const bool other_life = t != nullptr && t->incarnation != message.fence.incarnation;
    if (other_life)
        note(What::stale_incarnation, t);
    // What a fenced life still says needs no answer: it is dead, or will say Hello by itself when
    // its heartbeat is asked about.
    const bool asks = !other_life || (std::holds_alternative<Heartbeat>(message.message) &&
                                      message.fence.incarnation != t->incarnation_before);
    if (t != nullptr && t->joined && !other_life)
        return false;
    if (asks)
        emit(Send{key, WhoAreYou{}});
    return true;
}

void Impl::on_hello(const TranscoderKey& key, Incarnation incarnation, const Hello& m) {
    if (m.protocol_major != kProtocolMajor) {
        emit(Send{key,
                  JoinRefused{JoinRefusal::protocol,
                              "the orchestrator speaks protocol " + std::to_string(kProtocolMajor) +
                                  ", the transcoder " + std::to_string(m.protocol_major)}});
        return;
    }
    if (const auto problem = take_signer(key, m.signer)) {
        emit(Send{key, JoinRefused{JoinRefusal::refused, *problem}});
        return;
    }
    Transcoder* known = registry_.find(key);
    if (known != nullptr && known->incarnation_before && known->incarnation_before == incarnation)
        return note(What::stale_incarnation, known);  // a fenced life, late
    const bool same_life = known != nullptr && known->joined && known->incarnation == incarnation;
    if (same_life && m.nonce != known->nonce && known->nonce_before &&
        m.nonce == known->nonce_before)
        return note(What::stale_duplicate, known);  // of a connection that was replaced
    if (known != nullptr && known->joined && !same_life)
        lose(*known, "started again", false);
    const bool new_connection = !same_life || known->nonce != m.nonce;
    Transcoder& t = registry_.join(key, incarnation, m, now_);
    transcoder_keys_[t.no] = key;
    t.lease_end = now_ + config_.lease;
    if (Transcoder* unnamed = registry_.take_unnamed())
        publish(*unnamed);
    emit(Send{key, Welcome{t.name, config_.payload_endpoint, to_ms(config_.heartbeat),
                           to_ms(config_.lease)}});
    continue_held(t, m, same_life, new_connection);
    changed(t);
    forget_surplus();
}

// Tasks that both sides still know go on; what only the transcoder holds is cancelled, what only we
// believe to be there was lost on the way.
void Impl::continue_held(Transcoder& t, const Hello& m, bool same_life, bool new_connection) {
    std::set<std::pair<TaskId, AttemptNo>> held;
    for (const HeldTask& h : m.held) {
        const bool ours = same_life && m.held_epoch == config_.epoch;
        if (ours && (on_record(t, h.task, h.attempt) ||
                     (!new_connection && early_on_record(t, h.task, h.attempt) != nullptr)))
            held.insert({h.task, h.attempt});
        else
            emit(Send{t.key, Cancel{h.task, h.attempt, CancelReason::superseded}});
    }
    if (!same_life || !new_connection)
        return;
    const std::vector<SessionNo> sessions(t.sessions.begin(), t.sessions.end());
    for (const SessionNo no : sessions) {
        Session& s = *sessions_.find(no);
        // What was on its way broke with the connection.
        if (const EarlyAttempt* early = early_of(s); early != nullptr && early->attempt.at == &t)
            drop_early(s, std::nullopt);
        // By id: a retry may end other tasks of the session.
        for (const TaskId id : std::set<TaskId>(s.tasks)) {
            Task* task = tasks_.find(id);
            if (task == nullptr)
                continue;
            const auto gone =
                std::find_if(task->live.begin(), task->live.end(), [&](const Attempt& a) {
                    return a.at == &t && !held.contains({task->id, a.no});
                });
            if (gone == task->live.end())
                continue;
            end_attempt(*task, gone->no, What::attempt_lost, std::nullopt);
            retry(*task, t, Reaction::elsewhere_or_again, true, "lost", "the connection broke");
        }
    }
}

void Impl::on(Transcoder& t, const Heartbeat& m) {
    emit(Send{t.key, HeartbeatAck{m.number, m.sent_at_us}});
    const bool was_ready = t.ready();
    const std::uint32_t had_room = t.headroom();
    const std::uint32_t had_slots = t.slots;
    const Cost others_had = t.others_cost;
    Registry::claim_slots(t, m.slots);
    Registry::note_others(t, m.slots_free, static_cast<std::uint32_t>(m.sessions.size()));
    if (m.rtt_us > 0)
        t.rtt_us = m.rtt_us;
    t.gpus = m.gpus;
    const bool draining = m.draining || t.told_to_leave;
    const bool begins_to_drain = draining && !t.draining;
    t.draining = draining;
    reconcile(t, m);
    if (begins_to_drain)
        unseat_all(t);
    if (t.ready() != was_ready || t.slots != had_slots)
        changed(t);
    else if (t.headroom() > had_room || t.others_cost != others_had)
        capacity_changed_ = true;
}

// Neither side can leak a slot: each heartbeat says who holds one.
void Impl::reconcile(Transcoder& t, const Heartbeat& m) {
    std::set<SessionId> named;
    Cost ours;
    for (const SessionId& id : m.sessions) {
        if (named.size() > kSlotsMax)
            break;
        if (!named.insert(id).second)
            continue;
        Session* s = sessions_.find(id);
        const Holding* h = s == nullptr ? nullptr : s->holding_at(t);
        if (h == nullptr)
            emit(Send{t.key, Release{id}});
        else
            ours = ours + h->cost;
    }
    Registry::note_others_cost(t, m.load, ours);
    const std::vector<SessionNo> held(t.sessions.begin(), t.sessions.end());
    for (const SessionNo no : held) {
        Session& s = *sessions_.find(no);
        Holding& h = *s.holding_at(t);
        if (!h.granted || named.contains(s.id) || h.granted_at + kGrantSettled >= now_)
            continue;
        h.granted = false;
        h.asked_at = now_;
        send_reserve(s, h);
    }
}

void Impl::on(Transcoder& t, const SlotGranted& m) {
    Session* s = sessions_.find(m.session);
    Holding* h = s == nullptr ? nullptr : s->holding_at(t);
    if (h == nullptr) {
        emit(Send{t.key, Release{m.session}});  // we gave up waiting
        return;
    }
    if (h->id != m.reservation || h->granted)
        return;
    h->granted = true;
    h->granted_at = now_;
    timers_.cancel({TimerKind::reservation, h->id.value});
    s->avoid.erase(t.no);
    const ReservationId id = h->id;
    for (Task* task : tasks_of(*s)) {
        if (task->second_slot != id)
            continue;
        task->second_slot = {};
        if (t.usable() && task->live.size() == 1 && task->live.front().at != &t &&
            !task->live.front().finished && task->attempts_bound() < config_.attempts_max)
            dispatch(*task, *s->holding(id), true);
    }
    serve(*s);
}

void Impl::on(Transcoder& t, const SlotRefused& m) {
    Session* s = sessions_.find(m.session);
    const Holding* h = s == nullptr ? nullptr : s->holding(m.reservation);
    if (h == nullptr || h->at != &t)
        return;
    if (m.reason == SlotRefusal::no_free_slot && t.headroom() > 0)
        t.others += t.headroom();  // full, whatever we thought; the next heartbeat tells exactly
    if (m.reason == SlotRefusal::cost)
        Registry::note_others_cost(t, all_of(t.capacity), t.reserved_cost - h->cost);  // the same
    Duration avoid_for = kAvoidBriefly;
    if (m.reason == SlotRefusal::device)
        avoid_for = kAvoidDevice;
    if (m.reason == SlotRefusal::incompatible)
        avoid_for = kAvoidIncompatible;
    slot_answered_no(*s, m.reservation, avoid_for, false);
}

void Impl::on(Transcoder& t, const Leaving&) {
    if (t.draining)
        return;
    t.draining = true;
    unseat_all(t);
    changed(t);
}

void Impl::on(Transcoder& t, const Goodbye& m) {
    lose(t, m.reason.empty() ? "left" : m.reason, true);
}

void Impl::payload_lane(const TranscoderKey& key, std::uint64_t nonce, bool up, TimePoint now) {
    advance(now);
    Transcoder* t = registry_.find(key);
    if (t == nullptr || revoked_.contains(key))
        return settle();
    const bool was_up = t->payload_up();
    if (up) {
        t->lane_nonce = nonce;
        t->lane_up = true;
    } else if (t->lane_nonce == nonce) {
        t->lane_up = false;
    }
    if (t->payload_up())
        t->lane_down_since.reset();
    else if (was_up)
        t->lane_down_since = now_;
    if (t->payload_up() != was_up) {
        changed(*t);
        const std::vector<SessionNo> sessions(t->sessions.begin(), t->sessions.end());
        for (const SessionNo no : sessions)
            if (t->payload_up())
                serve(*sessions_.find(no));
    }
    settle();
}

void Impl::connection_lost(const TranscoderKey& key, TimePoint now) {
    advance(now);
    // While we were away the transcoders gave our silent connections up: the lease tells who is gone.
    const bool our_doing = now_ < patient_until_;
    if (Transcoder* t = registry_.find(key); t != nullptr && t->joined && !our_doing)
        lose(*t, "connection lost", false);
    settle();
}

void Impl::revoke(const TranscoderKey& key, TimePoint now) {
    advance(now);
    revoked_.insert(key);
    if (Transcoder* t = registry_.find(key)) {
        if (t->joined)
            lose(*t, "revoked", true);
        transcoder_keys_.erase(t->no);
        timers_.cancel({TimerKind::transcoder, t->no.value});
        registry_.forget(key);
    }
    settle();
}

}  // namespace millrace::orchestrator
