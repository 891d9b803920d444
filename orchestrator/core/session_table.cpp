#include "orchestrator/core/session_table.h"

#include <algorithm>

#include "common/base/check.h"
#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {

Holding* Session::holding(ReservationId wanted) {
    const auto found = std::find_if(holdings.begin(), holdings.end(),
                                    [wanted](const Holding& h) { return h.id == wanted; });
    return found == holdings.end() ? nullptr : &*found;
}

Holding* Session::holding_at(const Transcoder& t) {
    const auto found = std::find_if(holdings.begin(), holdings.end(),
                                    [&t](const Holding& h) { return h.at == &t; });
    return found == holdings.end() ? nullptr : &*found;
}

Session& SessionTable::open(const SessionId& id, const StreamName& stream, const AccountId& account,
                            TimePoint now) {
    MR_CHECK(find(id) == nullptr && live_on(stream) == nullptr, "ids and live streams are unique");
    auto owned = std::make_unique<Session>();
    Session& session = *owned;
    session.no.value = ++last_no_;
    session.id = id;
    session.stream = stream;
    session.account = account;
    session.started_at = now;
    sessions_.emplace(session.no, std::move(owned));
    by_id_[id] = &session;
    opened(session);
    return session;
}

void SessionTable::reopen(Session& session, TimePoint now) {
    MR_CHECK(session.ended && live_on(session.stream) == nullptr,
             "only ended sessions, free names");
    if (session.in_wanting)
        wanting_.erase({session.started_at, session.no});
    session.ended = false;
    session.started_at = now;
    if (session.in_wanting)
        wanting_.insert({session.started_at, session.no});
    session.last_segment_at.reset();
    ended_.erase(session.no);
    opened(session);
}

// Open: it has its stream's name, and counts.
void SessionTable::opened(Session& session) {
    by_stream_[session.stream] = &session;
    session.in_open = true;
    ++open_;
    ++open_of_[session.account];
}

void SessionTable::closed(Session& session) {
    by_stream_.erase(session.stream);
    session.in_open = false;
    --open_;
    const auto count = open_of_.find(session.account);
    if (--count->second == 0)
        open_of_.erase(count);
}

std::size_t SessionTable::open_of(const AccountId& account) const {
    const auto found = open_of_.find(account);
    return found == open_of_.end() ? 0 : found->second;
}

void SessionTable::end(Session& session, EndReason reason) {
    MR_CHECK(!session.ended, "a session ends once");
    session.ended = true;
    session.end_reason = reason;
    session.orphaned = false;
    session.restored_until.reset();
    closed(session);
    ended_.insert(session.no);
}

void SessionTable::erase(Session& session) {
    MR_CHECK(session.holdings.empty() && session.tasks.empty() && !session.arriving(),
             "only what nobody needs is erased");
    MR_CHECK(!session.in_holding && !session.in_claims && !session.in_idle && !session.in_wanting,
             "an erased session is a member of nothing");
    if (!session.ended)
        closed(session);
    ended_.erase(session.no);
    by_id_.erase(session.id);
    sessions_.erase(SessionNo{session.no});
}

Session* SessionTable::surplus() {
    if (ended_.size() <= kEndedKnownMax)
        return nullptr;
    for (const SessionNo no : ended_) {
        Session* session = find(no);
        if (session->tasks.empty() && session->holdings.empty() && !session->arriving())
            return session;
    }
    return nullptr;
}

Session* SessionTable::find(const SessionId& id) {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
}

Session* SessionTable::find(SessionNo no) {
    const auto found = sessions_.find(no);
    return found == sessions_.end() ? nullptr : found->second.get();
}

Session* SessionTable::live_on(const StreamName& stream) {
    const auto found = by_stream_.find(stream);
    return found == by_stream_.end() ? nullptr : found->second;
}

TimePoint SessionTable::idle_at(const Session& session) const {
    return session.quiet_since() + std::max(config_.idle_after, 3 * session.last_duration);
}

bool SessionTable::is_idle(const Session& session, TimePoint now) const {
    return session.primary && session.tasks.empty() && !session.arriving() && !session.ended &&
           now >= idle_at(session);
}

void SessionTable::refresh(Session& session, bool waiting, TimePoint now,
                           TimePoint not_shed_before) {
    const bool holding = static_cast<bool>(session.primary);
    if (holding)
        session.orphaned = false;
    if (holding != session.in_holding)
        holding ? ++holding_ : --holding_;
    session.in_holding = holding;

    const bool wanting = !holding && (waiting || session.orphaned);
    if (wanting != session.in_wanting) {
        if (wanting)
            wanting_.insert({session.started_at, session.no});
        else
            wanting_.erase({session.started_at, session.no});
        session.in_wanting = wanting;
    }
    // A slot that was asked for and refused does not start the waiting time again.
    if (wanting && !session.wanting_since)
        session.wanting_since = std::max(now, not_shed_before);
    else if (!wanting && (!holding || session.slot()->granted))
        session.wanting_since.reset();
    const bool claims = !holding && !session.ended && (wanting || session.arriving());
    if (claims != session.in_claims)
        claims ? ++claims_ : --claims_;
    session.in_claims = claims;

    std::optional<TimePoint> idle;
    if (is_idle(session, now))
        idle = session.quiet_since();
    if (idle != session.in_idle) {
        if (session.in_idle)
            idle_.erase({*session.in_idle, session.no});
        if (idle)
            idle_.insert({*idle, session.no});
        session.in_idle = idle;
    }
}

void SessionTable::check_invariants() const {
    std::uint32_t holding = 0;
    std::uint32_t claims = 0;
    std::size_t open = 0;
    std::size_t idle = 0;
    std::size_t wanting = 0;
    std::map<AccountId, std::size_t> open_of;
    for (const auto& [no, session] : sessions_) {
        MR_CHECK(session->in_holding == static_cast<bool>(session->primary), "holders are counted");
        MR_CHECK(!session->primary || session->holding(session->primary) != nullptr,
                 "a slot is one of the holdings");
        holding += session->in_holding ? 1 : 0;
        claims += session->in_claims ? 1 : 0;
        open += session->ended ? 0 : 1;
        if (!session->ended)
            ++open_of[session->account];
        idle += session->in_idle ? 1 : 0;
        wanting += session->in_wanting ? 1 : 0;
        MR_CHECK(session->ended == (ended_.count(no) == 1), "ended sessions are listed");
        MR_CHECK(session->ended || by_stream_.at(session->stream) == session.get(),
                 "a live session has its stream");
        MR_CHECK(by_id_.at(session->id) == session.get(), "sessions are found by id");
        MR_CHECK(!session->in_idle || idle_.count({*session->in_idle, no}) == 1, "idle is listed");
        MR_CHECK(!session->in_wanting || wanting_.count({session->started_at, no}) == 1,
                 "wanting is listed");
        MR_CHECK(!(session->in_claims && session->in_holding), "a claim ends with the slot");
    }
    MR_CHECK(open_of == open_of_, "open sessions are counted by account");
    MR_CHECK(holding == holding_ && claims == claims_ && open == open_, "counts are true");
    MR_CHECK(idle == idle_.size() && wanting == wanting_.size(), "lists hold nobody else");
}

}  // namespace millrace::orchestrator
