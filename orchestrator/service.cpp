#include "orchestrator/service.h"

#include <chrono>
#include <utility>

#include "common/base/check.h"
#include "common/base/hex.h"
#include "common/runtime/log.h"
#include "common/runtime/wall_clock.h"
#include "orchestrator/access/live_streams.h"
#include "orchestrator/journal/journal.h"
#include "orchestrator/metrics_view.h"
#include "orchestrator/store/store.h"

namespace millrace::orchestrator {
namespace {

// What renditions of one segment may weigh, each (zeromq-and-failures, section 4.3).
constexpr std::uint64_t kRenditionBytesPerSourceByte = 4;
constexpr std::uint64_t kRenditionBytesExtra = 8ULL << 20;

std::uint64_t rendition_bytes_max(std::uint64_t source_bytes) {
    return source_bytes * kRenditionBytesPerSourceByte + kRenditionBytesExtra;
}

// The loop comes round at least this often. When it did not for kAway, the process was stopped, the machine
// suspended, or the loop blocked; heartbeats of the transcoders then still wait in the sockets.
constexpr Duration kPulse = std::chrono::milliseconds(250);
constexpr Duration kAway = std::chrono::milliseconds(750);

// As for what is refused because the store cannot write.
constexpr Duration kStorageRetry = std::chrono::seconds(5);

}  // namespace

Service::Service(Parts parts, CoreConfig config)
    : loop_(parts.loop),
      store_(parts.store),
      enrolment_(parts.enrolment),
      metrics_(parts.metrics),
      playback_(parts.playback),
      streams_(parts.streams),
      link_(parts.link),
      journal_(parts.journal),
      core_(std::move(config)),
      timer_(parts.loop),
      pulse_timer_(parts.loop),
      last_turn_(parts.loop.now()) {
    pulse();
}

Service::~Service() {
    *alive_ = false;
    for (auto& [id, arrival] : arrivals_)
        arrival.body->listen(nullptr);
    const Refusal closing{ApiCode::shutting_down, "the orchestrator is stopping",
                          std::chrono::seconds(1)};
    for (auto& [id, task] : tasks_)
        answer_all(task, closing);
}

void Service::restore(const std::vector<RestoredSession>& sessions,
                      const std::vector<RestoredTranscoder>& transcoders) {
    core_.restore(sessions, transcoders, now());
    for (const RestoredSession& session : sessions)
        if (!session.ended)
            streams_.opened(session.stream, session.id, session.account);
    settle();
}

// ---- broadcasters -------------------------------------------------------------------------------

void Service::begin_upload(UploadRequest request, std::function<void(UploadDecision)> decided) {
    loop_.post([this, request = std::move(request), decided = std::move(decided)] {
        const UploadDecision decision = core_.begin_upload(request, now());
        settle();
        decided(decision);
    });
}

void Service::upload_arrives(UploadId upload, ArrivingBodyPtr body) {
    loop_.post([this, upload, body = std::move(body)]() mutable {
        arrivals_[upload].body = std::move(body);
        arrivals_[upload].began = now();
        core_.upload_arrives(upload, now());
        settle();
    });
}

void Service::pour(UploadId upload) {
    const auto found = arrivals_.find(upload);
    if (found == arrivals_.end() || !found->second.transfer)
        return;
    for (Slice& piece : found->second.body->take())
        link_.append_source(found->second.to, *found->second.transfer, std::move(piece));
}

void Service::forget_arrival(UploadId upload) {
    if (const auto node = arrivals_.extract(upload); !node.empty())
        node.mapped().body->listen(nullptr);
}

void Service::finish_upload(UploadId upload, PayloadPtr body, Sha256 sha256,
                            std::function<void(Answer)> answered) {
    loop_.post(
        [this, upload, body = std::move(body), sha256, answered = std::move(answered)]() mutable {
            finish_on_loop(upload, std::move(body), sha256, std::move(answered));
        });
}

void Service::finish_on_loop(UploadId upload, PayloadPtr body, const Sha256& sha256,
                             Waiter answered) {
    if (const auto arrival = arrivals_.find(upload); arrival != arrivals_.end())
        metrics_.uploaded(now() - arrival->second.began);
    const UploadOutcome outcome = core_.finish_upload(upload, sha256, body->size(), now());
    if (const auto* accepted = std::get_if<TaskAccepted>(&outcome)) {
        tasks_[accepted->task] = Task{std::move(body), sha256, {std::move(answered)}, {}};
    } else if (const auto* joined = std::get_if<TaskJoined>(&outcome)) {
        tasks_.at(joined->task).waiters.push_back(std::move(answered));
    } else if (const auto* replayed = std::get_if<Replayed>(&outcome)) {
        answered(answers_.at(replayed->answer));
    } else {
        answered(std::get<Refusal>(outcome));
    }
    forget_arrival(upload);
    settle();
}

void Service::abort_upload(UploadId upload) {
    loop_.post([this, upload] {
        core_.abort_upload(upload, now());
        forget_arrival(upload);
        settle();
    });
}

void Service::open_session(SessionRequest request, std::function<void(OpenOutcome)> opened) {
    loop_.post([this, request = std::move(request), opened = std::move(opened)] {
        const OpenOutcome outcome = core_.open_session(request, now());
        settle();
        const auto* session = std::get_if<SessionOpened>(&outcome);
        if (session == nullptr)
            return opened(outcome);
        // Its token is good for a day; a crash must not leave it without its session.
        when_sessions_written([this, outcome, opened, id = session->id](bool written) {
            if (!written)
                (void)core_.end_session(id, EndReason::requested, now());
            opened(written
                       ? outcome
                       : Refusal{ApiCode::storage_unavailable,
                                 "the orchestrator cannot write down the session", kStorageRetry});
        });
    });
}

void Service::when_sessions_written(std::function<void(bool)> then) {
    ++sessions_being_written_;
    store_.sessions_written(
        [this, alive = alive_, then = std::move(then)](const Result<void>& written) {
            if (!*alive)
                return;
            --sessions_being_written_;
            then(static_cast<bool>(written));
            settle();
        });
}

void Service::end_session(SessionId session, std::optional<AccountId> owner,
                          std::function<void(std::optional<Refusal>)> ended) {
    loop_.post(
        [this, session = std::move(session), owner = std::move(owner), ended = std::move(ended)] {
            const auto refusal = core_.end_session(session, EndReason::requested, now(), owner);
            settle();
            if (refusal)
                return ended(refusal);
            // It has ended whatever the disk says; but once told so, a crash must not bring it back.
            when_sessions_written([ended](bool) { ended(std::nullopt); });
        });
}

// ---- transcoders --------------------------------------------------------------------------------

void Service::link_message(const TranscoderKey& from, const FromTranscoder& message) {
    core_.on_message(from, message, now());
    settle();
}

void Service::link_enrol(const std::string& enrolment_key, const Enrol& request) {
    enrolment_.enrol(enrolment_key, request,
                     [this, alive = alive_, enrolment_key, key = request.key](ToTranscoder answer) {
                         if (!*alive)
                             return;
                         if (const auto* refused = std::get_if<JoinRefused>(&answer))
                             metrics_.join_refused(refused->reason);
                         link_.answer_enrol(enrolment_key, key, answer);
                     });
}

void Service::link_lost(const TranscoderKey& key) {
    core_.connection_lost(key, now());
    settle();
}

void Service::link_payload_lane(const TranscoderKey& key, std::uint64_t nonce, bool up) {
    core_.payload_lane(key, nonce, up, now());
    settle();
}

void Service::link_progress(const TransferId& transfer, const TranscoderKey& with) {
    core_.transfer_progress(transfer, with, now());
    settle();
}

void Service::link_rendition(const TransferId& transfer, const TranscoderKey& from,
                             std::uint64_t bytes, const Sha256& sha256) {
    core_.rendition_received(transfer, from, bytes, sha256, now());
    settle();
}

void Service::link_transfer_failed(const TransferId& transfer, const TranscoderKey& with,
                                   const Error& problem) {
    core_.transfer_failed(transfer, with, problem, now());
    settle();
}

// ---- operators ----------------------------------------------------------------------------------

Result<void> Service::command(std::string_view name, OrchestratorCore::TranscoderCommand what) {
    auto result = core_.command(name, what, now());
    settle();
    return result;
}

void Service::set_operator_limit(std::optional<std::uint32_t> sessions) {
    core_.set_operator_limit(sessions, now());
    settle();
}

void Service::set_stake(std::optional<std::uint32_t> sessions, bool active) {
    core_.set_stake(sessions, active, now());
    settle();
}

void Service::revoke(const TranscoderKey& key) {
    core_.revoke(key, now());
    link_.forget(key);
    settle();
}

void Service::set_account(const AccountId& account, const AccountLimits& limits) {
    core_.set_account(account, limits, now());
    settle();
}

void Service::remove_account(const AccountId& account) {
    core_.remove_account(account, now());
    settle();
}

void Service::store_available(bool available) {
    core_.store_available(available, now());
    settle();
}

void Service::begin_shutdown(std::function<void()> drained) {
    drained_ = std::move(drained);
    core_.begin_shutdown(now());
    settle();
}

// ---- time ---------------------------------------------------------------------------------------

TimePoint Service::now() {
    const TimePoint now = loop_.now();
    const Duration passed = now - std::exchange(last_turn_, now);
    if (passed > kAway) {
        log::warn("main", "was away", {{"ms", std::to_string(to_ms(passed))}});
        core_.was_away(passed, now);
    }
    return now;
}

void Service::pulse() {
    pulse_timer_.set(loop_.now() + kPulse, [this] { pulse(); });
    (void)now();
}

// ---- effects ------------------------------------------------------------------------------------

void Service::settle() {
    core_.advance_to(now());
    // Carrying out an effect may reach the core again (a store that fails at once): until nothing is left.
    for (Effects effects = core_.take_effects(); !effects.empty(); effects = core_.take_effects())
        for (const Effect& effect : effects) {
            journal_.note(effect, loop_.now(), wall_now());
            std::visit([this](const auto& e) { perform(e); }, effect);
        }
    if (const auto next = core_.next_deadline())
        timer_.set(*next, [this] { settle(); });
    else
        timer_.cancel();
    if (drained_ && core_.idle() && tasks_.empty() && sessions_being_written_ == 0)
        std::exchange(drained_, nullptr)();
}

void Service::perform(const Send& effect) {
    if (const auto* dispatch = std::get_if<Dispatch>(&effect.message))
        link_.expect(effect.to, dispatch->task, dispatch->attempt,
                     static_cast<std::uint32_t>(dispatch->ladder.size()),
                     rendition_bytes_max(dispatch->bytes));
    link_.send(effect.to, effect.message);
}

void Service::perform(const StartTransfer& effect) {
    const Task& task = tasks_.at(effect.transfer.task);
    link_.start_source(effect.to, effect.transfer, task.body, task.sha256);
}

void Service::perform(const StartEarlyTransfer& effect) {
    const auto found = arrivals_.find(effect.upload);
    MR_CHECK(found != arrivals_.end(), "what is sent early arrives");
    Arrival& arrival = found->second;
    arrival.to = effect.to;
    arrival.transfer = effect.transfer;
    link_.start_early_source(effect.to, effect.transfer);
    // Called on the front's threads; listen(nullptr) comes before our end.
    arrival.body->listen([this, alive = alive_, upload = effect.upload] {
        loop_.post([this, alive, upload] {
            if (*alive)
                pour(upload);
        });
    });
    pour(effect.upload);
}

void Service::perform(const FinishTransfer& effect) {
    const Task& task = tasks_.at(effect.transfer.task);
    link_.allow(effect.transfer.task, effect.transfer.attempt,
                rendition_bytes_max(task.body->size()));
    link_.finish_source(effect.to, effect.transfer, task.body, task.sha256);
}

void Service::perform(const DropAttempt& effect) {
    link_.drop(effect.at, effect.task, effect.attempt);
}

void Service::perform(const Commit& effect) {
    tasks_.at(effect.task).renditions = link_.take_renditions(effect.task, effect.attempt);
    store_.commit(store::commit_record(effect, wall_now()),
                  [this, alive = alive_, task = effect.task, attempt = effect.attempt,
                   started = now()](const Result<void>& result) {
                      if (!*alive)
                          return;
                      metrics_.store_committed(now() - started);
                      core_.committed(task, attempt, result, now());
                      settle();
                  });
}

void Service::perform(const Deliver& effect) {
    auto node = tasks_.extract(effect.task);
    MR_CHECK(!node.empty(), "a delivered task is known");
    Task& task = node.mapped();
    auto segment = std::make_shared<AnsweredSegment>();
    segment->key = effect.segment;
    segment->stream = effect.stream;
    segment->report = effect.report;
    segment->source = task.body;
    for (const RenditionReport& rendition : effect.report.renditions)
        segment->renditions.push_back(task.renditions.at(rendition.index));
    segment->discontinuity = effect.discontinuity;
    segment->transcoder = effect.transcoder_name;
    segment->queued = effect.queued;
    segment->total = effect.total;
    segment->committed_at = wall_now();
    answers_[effect.answer] = segment;
    metrics_.delivered(*segment);
    playback_.segment_answered(segment);
    answer_all(task, AnsweredSegmentPtr(segment));
    log::debug("segment", "answered",
               {{"session", effect.segment.session.value},
                {"seq", std::to_string(effect.segment.seq)},
                {"transcoder", effect.transcoder_name},
                {"attempt", std::to_string(effect.attempt.value)},
                {"ms", std::to_string(to_ms(effect.total))}});
}

void Service::perform(const Fail& effect) {
    auto node = tasks_.extract(effect.task);
    MR_CHECK(!node.empty(), "a failed task is known");
    playback_.segment_failed(effect.stream, effect.segment);
    answer_all(node.mapped(), effect.refusal);
    log::warn("segment", effect.refusal.detail,
              {{"code", std::string(name(effect.refusal.code))},
               {"session", effect.segment.session.value},
               {"seq", std::to_string(effect.segment.seq)}});
}

void Service::perform(const Expect& effect) {
    playback_.segment_expected(effect.stream, effect.segment, effect.deadline);
}

void Service::perform(const ForgetAnswer& effect) {
    answers_.erase(effect.answer);
}

void Service::perform(const PersistSession& effect) {
    if (!effect.ended)
        streams_.opened(effect.stream, effect.session, effect.account);
    store_.save_session(store::session_row(effect, wall_now()));
}

void Service::perform(const SessionEnded& effect) {
    playback_.session_ended(effect.session, effect.stream);
    streams_.ended(effect.stream, effect.session);
    metrics_.session_ended(effect.reason);
    log::info("session", "ended",
              {{"session", effect.session.value},
               {"stream", effect.stream.value},
               {"reason", std::string(to_string(effect.reason))}});
}

void Service::perform(const TranscoderChanged& effect) {
    if (effect.state == "ready" || effect.state == "left")
        enrolment_.renamed(effect.key, effect.name);
    metrics_.transcoder_changed(effect);
    log::info("transcoder", effect.state, {{"name", effect.name}, {"reason", effect.reason}});
}

void Service::perform(const KeepSigner& effect) {
    enrolment_.keep_signer(effect.key, effect.signer);
}

void Service::perform(const KeepCordon& effect) {
    enrolment_.keep_cordon(effect.key, effect.cordoned);
}

void Service::perform(const Noted& effect) {
    metrics_.noted(effect);
}

void Service::answer_all(Task& task, const Answer& answer) {
    for (const Waiter& waiter : task.waiters)
        waiter(answer);
    task.waiters.clear();
}

}  // namespace millrace::orchestrator
