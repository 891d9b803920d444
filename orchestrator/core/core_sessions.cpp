// Sessions: opening, ending, idling, shedding.

#include <algorithm>

#include "orchestrator/core/core_impl.h"
#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {

using Impl = OrchestratorCore::Impl;
using What = Noted::What;

namespace {

Refusal refusal(ApiCode code, std::string detail) {
    return Refusal{code, std::move(detail), std::nullopt};
}

}  // namespace

OpenOutcome Impl::open_session(const SessionRequest& request, TimePoint now) {
    advance(now);
    if (auto no = stranger(request.account)) {
        note_refused(What::session_refused, no->code);
        return *no;
    }
    Session* known = sessions_.find(request.id);
    Session* on_stream = sessions_.live_on(request.stream);
    if (known != nullptr && (known->stream != request.stream || known->account != request.account))
        return refusal(ApiCode::forbidden, "the session belongs to another stream or account");
    if (on_stream != nullptr && on_stream->account != request.account)
        return refusal(ApiCode::forbidden, "the stream belongs to another account");
    if (on_stream != nullptr)
        return SessionExists{on_stream->id};

    // Nothing is reserved here, so only what no transcoder could change is asked.
    AdmissionFacts f;
    f.shutting_down = shutting_down_;
    f.store_available = store_available_;
    f.stake_active = stake_active_;
    f.transcoder_ready = f.compatible = true;
    f.limits = limits();
    f.limits.by_transcoders = kNoLimitAsked;
    f.room = 1;
    f.quota = quotas_.judge_session(request.account, sessions_.open_of(request.account));
    f.new_session = true;
    f.sessions_open = sessions_.open_count();
    f.sessions_max = config_.sessions_known_max;
    f.in_flight_max = 1;
    if (auto no = admit(f)) {
        note_refused(What::session_refused, no->code);
        return *no;
    }
    const bool reopened = known != nullptr;
    if (reopened) {
        sessions_.reopen(*known, now_);
        window_.session_reopened(known->no);
    }
    Session& s =
        reopened ? *known : sessions_.open(request.id, request.stream, request.account, now_);
    // Tasks in flight belong to the ladder they were accepted with.
    if (!reopened || (request.ladder && s.tasks.empty()))
        s.ladder = request.ladder.value_or(config_.default_ladder);
    s.cost = estimate_cost(s.ladder);
    s.confirmed = true;
    note(What::session_opened);
    persist(s);
    refresh(s);
    settle();
    return SessionOpened{s.id, s.ladder};
}

std::optional<Refusal> Impl::end_session(const SessionId& id, EndReason reason, TimePoint now,
                                         const std::optional<AccountId>& owner) {
    advance(now);
    Session* s = sessions_.find(id);
    if (s != nullptr && owner && s->account != *owner)
        return refusal(ApiCode::forbidden, "the session belongs to another account");
    if (s == nullptr || s->ended || !s->confirmed)
        return refusal(ApiCode::not_found, "no such session");
    end(*s, reason);
    settle();
    return std::nullopt;
}

void Impl::end(Session& s, EndReason reason) {
    sessions_.end(s, reason);
    for (Task* t : tasks_of(s)) {
        const bool at_work =
            t->committing ||
            std::any_of(t->live.begin(), t->live.end(), [](const Attempt& a) { return a.started; });
        if (!at_work)
            fail(*t, refusal(ApiCode::not_found, "the session was ended"),
                 CancelReason::session_ended);
    }
    window_.session_ended(s.no);
    persist(s);
    emit(SessionEnded{s.id, s.stream, reason});
    prune(s);
    refresh(s);
}

// The front has looked already; the account may have been removed since.
std::optional<Refusal> Impl::stranger(const AccountId& account) const {
    if (!config_.accounts_only || quotas_.known(account))
        return std::nullopt;
    return refusal(ApiCode::unauthorized, "the account was removed");
}

void Impl::set_account(const AccountId& account, const AccountLimits& limits, TimePoint now) {
    advance(now);
    quotas_.set(account, limits, now_);
    settle();
}

void Impl::remove_account(const AccountId& account, TimePoint now) {
    advance(now);
    quotas_.remove(account);
    std::vector<Session*> own;
    for (const auto& [no, s] : sessions_.all())
        if (s->account == account && !s->ended)
            own.push_back(s.get());
    for (Session* s : own) {
        if (s->confirmed) {
            end(*s, EndReason::requested);
        } else {  // nobody has heard of it yet; its upload finds it ended
            sessions_.end(*s, EndReason::requested);
            refresh(*s);
        }
    }
    capacity_changed_ = true;
    settle();
}

void Impl::persist(const Session& s) {
    emit(
        PersistSession{s.id, s.stream, s.account, s.ladder, s.run, s.last_seq, s.has_seq, s.ended});
}

void Impl::drop_if_provisional(Session& s) {
    if (s.confirmed || s.arriving() || !s.tasks.empty())
        return;
    refresh(s);
    window_.forget_session(s.no);
    timers_.cancel({TimerKind::session, s.no.value});
    sessions_.erase(s);
}

std::vector<Task*> Impl::tasks_of(const Session& s) {
    std::vector<Task*> list;
    list.reserve(s.tasks.size());
    for (const TaskId id : s.tasks)
        list.push_back(tasks_.find(id));
    return list;
}

bool Impl::has_waiting(const Session& s) {
    return std::any_of(s.tasks.begin(), s.tasks.end(),
                       [this](TaskId id) { return tasks_.find(id)->waiting(); });
}

Limits Impl::limits() {
    return Limits{operator_limit_, stake_limit_, registry_.slots_ready()};
}

void Impl::refresh(Session& s) {
    sessions_.refresh(s, has_waiting(s), now_, reconcile_until_);
    arm_session(s);
}

void Impl::arm_session(Session& s) {
    std::optional<TimePoint> at;
    const auto consider = [&at](TimePoint t) {
        if (!at || t < *at)
            at = t;
    };
    const bool quiet = s.tasks.empty() && !s.arriving() && !s.ended;
    if (quiet && s.primary && !s.in_idle)
        consider(sessions_.idle_at(s));
    if (quiet && s.confirmed)
        consider(s.quiet_since() + config_.end_after);
    if (s.restored_until)
        consider(*s.restored_until);
    if (s.in_wanting) {
        consider(*s.wanting_since + config_.shed_after);
        for (const auto& [no, until] : s.avoid)
            if (until > now_)
                consider(until);
    }
    timers_.set({TimerKind::session, s.no.value}, at);
}

void Impl::on_session_timer(Session& s) {
    if (s.restored_until && *s.restored_until <= now_)
        s.restored_until.reset();
    std::erase_if(s.avoid, [this](const auto& entry) { return entry.second <= now_; });
    const bool quiet = s.tasks.empty() && !s.arriving() && !s.ended;
    if (quiet && s.confirmed && s.quiet_since() + config_.end_after <= now_)
        return end(s, EndReason::idle);
    if (s.in_wanting && *s.wanting_since + config_.shed_after <= now_)
        shed_due();
    if (s.in_wanting)
        return serve(s);
    refresh(s);
    // A slot that has just become idle may go to one that waits.
    if (s.in_idle)
        capacity_changed_ = true;
}

// Newest first: those who came first are the last to be turned away.
void Impl::shed_due() {
    std::vector<SessionNo> due;
    for (auto it = sessions_.wanting().rbegin(); it != sessions_.wanting().rend(); ++it)
        if (*sessions_.find(it->second)->wanting_since + config_.shed_after <= now_)
            due.push_back(it->second);
    for (const SessionNo no : due)
        shed(*sessions_.find(no));
}

void Impl::shed(Session& s) {
    note(What::session_shed);
    s.orphaned = false;
    s.restored_until.reset();
    for (Task* t : tasks_of(s))
        if (t->waiting())
            fail(*t, capped("transcoders"), CancelReason::superseded);
    prune(s);
    refresh(s);
}

}  // namespace millrace::orchestrator
