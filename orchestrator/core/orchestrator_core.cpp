#include "orchestrator/core/orchestrator_core.h"

#include <algorithm>

#include "common/base/check.h"
#include "orchestrator/core/core_impl.h"
#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {

using Impl = OrchestratorCore::Impl;

std::string_view to_string(EndReason reason) {
    switch (reason) {
        case EndReason::idle:
            return "idle";
        case EndReason::requested:
            return "requested";
        case EndReason::replaced:
            return "replaced";
    }
    return "idle";
}

// ---- Impl: time ---------------------------------------------------------------------------------

Impl::Impl(CoreConfig config)
    : config_(std::move(config)),
      sessions_(config_),
      window_(config_.answers_kept_for, config_.answers_kept_min, config_.keep_bytes),
      retry_budget_(kRetryShare, std::int64_t{config_.in_flight_max} * kSlotsMax),
      hedge_budget_(kHedgeShare, kHedgeBurst),
      operator_limit_(config_.operator_limit) {}

void Impl::restore(const std::vector<RestoredSession>& sessions,
                   const std::vector<RestoredTranscoder>& transcoders, TimePoint now) {
    advance(now);
    bool live = false;
    for (const RestoredSession& r : sessions) {
        if (sessions_.find(r.id) != nullptr || sessions_.live_on(r.stream) != nullptr)
            continue;  // a store that says a thing twice: the first counts
        Session& s = sessions_.open(r.id, r.stream, r.account, now_);
        s.ladder = r.ladder;
        s.cost = estimate_cost(s.ladder);
        s.run = r.run;
        s.last_seq = r.last_seq;
        s.has_seq = r.has_seq;
        s.confirmed = true;
        s.proven = true;
        if (r.ended)
            sessions_.end(s, EndReason::idle);
        else
            s.restored_until = now_ + config_.reconcile;
        live = live || !r.ended;
        refresh(s);
    }
    if (live)
        reconcile_until_ = now_ + config_.reconcile;
    for (const RestoredTranscoder& r : transcoders) {
        registry_.restore(r.key, r.name, r.cordoned);
        if (r.signer)
            signers_.emplace(r.key, *r.signer);
    }
}

void Impl::advance(TimePoint now) {
    now_ = std::max(now_, now);
    while (const auto due = timers_.take_due(now_)) {
        fire(*due);
        settle();
    }
    for (const AnswerId answer : window_.expire(now_))
        emit(ForgetAnswer{answer});
}

void Impl::advance_to(TimePoint now) {
    advance(now);
    settle();
}

void Impl::fire(const TimerKey& key) {
    switch (key.kind) {
        case TimerKind::transcoder:
            if (const auto found = transcoder_keys_.find(TranscoderNo{key.id});
                found != transcoder_keys_.end())
                if (Transcoder* t = registry_.find(found->second))
                    on_transcoder_timer(*t);
            break;
        case TimerKind::reservation:
            on_reservation_timer(ReservationId{key.id});
            break;
        case TimerKind::task:
            on_task_timer(TaskId{key.id});
            break;
        case TimerKind::session:
            if (Session* s = sessions_.find(SessionNo{key.id}))
                on_session_timer(*s);
            break;
    }
}

void Impl::settle() {
    while (std::exchange(capacity_changed_, false))
        place_waiting();
    while (Session* surplus = sessions_.surplus()) {
        window_.forget_session(surplus->no);
        timers_.cancel({TimerKind::session, surplus->no.value});
        sessions_.erase(*surplus);
    }
}

std::optional<TimePoint> Impl::next_deadline() const {
    const auto timers = timers_.next();
    const auto answers = window_.next_expiry();
    if (timers && answers)
        return std::min(*timers, *answers);
    return timers ? timers : answers;
}

void Impl::note(Noted::What what, const Transcoder* t, std::string reason) {
    emit(Noted{what, ApiCode::internal, t == nullptr ? std::string() : t->name, std::move(reason)});
}

void Impl::note_refused(Noted::What what, ApiCode code) {
    emit(Noted{what, code, {}, {}});
}

// The core's clock stood still with the process; what others did meanwhile is still to be heard.
void Impl::was_away(Duration away, TimePoint now) {
    away_ += std::max(away, Duration::zero());
    advance(own(now));
    patient_until_ = now_ + config_.reconcile;
    for (const auto& [no, key] : transcoder_keys_)
        if (Transcoder* t = registry_.find(key); t != nullptr && t->joined) {
            t->lease_end = std::max(t->lease_end, patient_until_);
            arm_transcoder(*t);
        }
    for (const auto& [no, session] : sessions_.all())
        for (Task* t : tasks_of(*session)) {
            for (Attempt& a : t->live)
                a.progressed_at = now_;
            if (!t->committing)
                arm_task(*t);
            expect(*t);
        }
    settle();
}

void Impl::expect(const Task& t) {
    emit(Expect{t.id, t.segment, t.session->stream, callers(t.deadline)});
}

void Impl::store_available(bool available, TimePoint now) {
    advance(now);
    store_available_ = available;
    settle();
}

void Impl::set_operator_limit(std::optional<std::uint32_t> sessions, TimePoint now) {
    advance(now);
    operator_limit_ = sessions;
    settle();
}

void Impl::set_stake(std::optional<std::uint32_t> sessions, bool active, TimePoint now) {
    advance(now);
    stake_limit_ = sessions;
    stake_active_ = active;
    settle();
}

void Impl::begin_shutdown(TimePoint now) {
    advance(now);
    shutting_down_ = true;
    settle();
}

// ---- the facade ---------------------------------------------------------------------------------

OrchestratorCore::OrchestratorCore(CoreConfig config)
    : impl_(std::make_unique<Impl>(std::move(config))) {}
OrchestratorCore::~OrchestratorCore() = default;

void OrchestratorCore::restore(const std::vector<RestoredSession>& sessions,
                               const std::vector<RestoredTranscoder>& transcoders, TimePoint now) {
    impl_->restore(sessions, transcoders, impl_->own(now));
}

OpenOutcome OrchestratorCore::open_session(const SessionRequest& request, TimePoint now) {
    return impl_->open_session(request, impl_->own(now));
}

std::optional<Refusal> OrchestratorCore::end_session(const SessionId& session, EndReason reason,
                                                     TimePoint now,
                                                     const std::optional<AccountId>& owner) {
    return impl_->end_session(session, reason, impl_->own(now), owner);
}

UploadDecision OrchestratorCore::begin_upload(const UploadRequest& request, TimePoint now) {
    return impl_->begin_upload(request, impl_->own(now));
}

void OrchestratorCore::upload_arrives(UploadId upload, TimePoint now) {
    impl_->upload_arrives(upload, impl_->own(now));
}
UploadOutcome OrchestratorCore::finish_upload(UploadId upload, const Sha256& sha256,
                                              std::uint64_t bytes, TimePoint now) {
    return impl_->finish_upload(upload, sha256, bytes, impl_->own(now));
}

void OrchestratorCore::abort_upload(UploadId upload, TimePoint now) {
    impl_->abort_upload(upload, impl_->own(now));
}

void OrchestratorCore::on_message(const TranscoderKey& from, const FromTranscoder& message,
                                  TimePoint now) {
    impl_->on_message(from, message, impl_->own(now));
}

void OrchestratorCore::payload_lane(const TranscoderKey& key, std::uint64_t nonce, bool up,
                                    TimePoint now) {
    impl_->payload_lane(key, nonce, up, impl_->own(now));
}

void OrchestratorCore::connection_lost(const TranscoderKey& key, TimePoint now) {
    impl_->connection_lost(key, impl_->own(now));
}

void OrchestratorCore::revoke(const TranscoderKey& key, TimePoint now) {
    impl_->revoke(key, impl_->own(now));
}

void OrchestratorCore::was_away(Duration away, TimePoint now) {
    impl_->was_away(away, now);
}

void OrchestratorCore::readmit(const TranscoderKey& key) {
    impl_->readmit(key);
}

void OrchestratorCore::transfer_progress(const TransferId& transfer, const TranscoderKey& with,
                                         TimePoint now) {
    impl_->transfer_progress(transfer, with, impl_->own(now));
}

void OrchestratorCore::rendition_received(const TransferId& transfer, const TranscoderKey& from,
                                          std::uint64_t bytes, const Sha256& sha256,
                                          TimePoint now) {
    impl_->rendition_received(transfer, from, bytes, sha256, impl_->own(now));
}

void OrchestratorCore::transfer_failed(const TransferId& transfer, const TranscoderKey& with,
                                       const Error& problem, TimePoint now) {
    impl_->transfer_failed(transfer, with, problem, impl_->own(now));
}

void OrchestratorCore::committed(TaskId task, AttemptNo attempt, const Result<void>& result,
                                 TimePoint now) {
    impl_->committed(task, attempt, result, impl_->own(now));
}

void OrchestratorCore::store_available(bool available, TimePoint now) {
    impl_->store_available(available, impl_->own(now));
}

Result<void> OrchestratorCore::command(std::string_view name, TranscoderCommand what,
                                       TimePoint now) {
    return impl_->command(name, what, impl_->own(now));
}

void OrchestratorCore::set_operator_limit(std::optional<std::uint32_t> sessions, TimePoint now) {
    impl_->set_operator_limit(sessions, impl_->own(now));
}

void OrchestratorCore::set_account(const AccountId& account, const AccountLimits& limits,
                                   TimePoint now) {
    impl_->set_account(account, limits, impl_->own(now));
}

void OrchestratorCore::remove_account(const AccountId& account, TimePoint now) {
    impl_->remove_account(account, impl_->own(now));
}

void OrchestratorCore::set_stake(std::optional<std::uint32_t> sessions, bool active,
                                 TimePoint now) {
    impl_->set_stake(sessions, active, impl_->own(now));
}

void OrchestratorCore::begin_shutdown(TimePoint now) {
    impl_->begin_shutdown(impl_->own(now));
}
bool OrchestratorCore::idle() const {
    return impl_->idle();
}
void OrchestratorCore::advance_to(TimePoint now) {
    impl_->advance_to(impl_->own(now));
}

std::optional<TimePoint> OrchestratorCore::next_deadline() const {
    const auto own = impl_->next_deadline();
    return own ? std::optional(impl_->callers(*own)) : std::nullopt;
}

Effects OrchestratorCore::take_effects() {
    return impl_->take_effects();
}
CoreStatus OrchestratorCore::status() const {
    return impl_->status();
}
bool OrchestratorCore::any_transcoder_ready() const {
    return impl_->any_transcoder_ready();
}
void OrchestratorCore::check_invariants() const {
    impl_->check_invariants();
}

}  // namespace millrace::orchestrator
