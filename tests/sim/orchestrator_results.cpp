// What the simulated orchestrator's shell does with results, and what it checks on the way.

#include <algorithm>
#include <utility>

#include "tests/sim/orchestrator_node.h"

namespace millrace::sim {

namespace {

constexpr std::size_t kAttemptsMax = 3;
constexpr std::size_t kInFlightMax = 4;  // segments per session
constexpr Duration kDeathSeenWithin = seconds(4);
// CoreConfig::reconcile less the lease.
constexpr Duration kPatienceAfterPause = seconds(2);

}  // namespace

// ---- while tasks are open

void OrchestratorNode::check_deadlines() {
    for (const auto& [id, task] : tasks_) {
        if (!task.deadline)
            violated("task " + std::to_string(id.value) + " was accepted without a deadline");
        if (!task.committing && *task.deadline < now())
            violated("task " + std::to_string(id.value) + " is past its deadline and not answered");
    }
}

void OrchestratorNode::check_dispatch(const orchestrator::Send& e, const Dispatch& dispatch) {
    const Peer& peer = peers_[e.to];
    note("dispatch", dispatch.task.value, dispatch.attempt.value << 8 | peer.transcoder);
    check_alive(peer);
    attempts_[{dispatch.task, dispatch.attempt}] = {e.to, peer.transcoder, {}, {}, false};
    const auto task = tasks_.find(dispatch.task);
    if (dispatch.bytes == 0) {
        if (task != tasks_.end() || dispatch.segment.sha256 != Sha256{})
            violated("a segment that is there was dispatched as if it were not");
        return;
    }
    if (task == tasks_.end() || task->second.committing)
        violated("a task that is not open was dispatched");
    if (task->second.body->sha256 != dispatch.segment.sha256)
        violated("a task was dispatched under another segment's hash");
    if (task->second.started.size() >= kAttemptsMax)
        violated("a task is tried again that three attempts had started to work on");
    if (dispatch.attempt <= task->second.attempt)
        violated("attempt numbers do not rise");
    task->second.attempt = dispatch.attempt;
}

void OrchestratorNode::check_alive(const Peer& peer) const {
    // Silence while we were paused ourselves says nothing, and who gave us up has a while to come back.
    const TimePoint listening_since =
        std::max({peer.control_heard, peer.payload_heard, resumed_at() + kPatienceAfterPause});
    if (now() > listening_since + kDeathSeenWithin)
        violated("dispatched to a transcoder that has been silent for " +
                 std::to_string(to_ms(now() - listening_since)) + " ms");
}

void OrchestratorNode::check_reserve(const orchestrator::Send& e) {
    note("reserve", peers_[e.to].transcoder);
    const auto status = core_->status();
    for (const auto& transcoder : status.transcoders)
        if (transcoder.key == e.to && transcoder.load > transcoder.capacity)
            violated("reserves more slots of " + transcoder.name + " than it has");
}

void OrchestratorNode::check_in_flight(const SessionId& session) const {
    const auto in_flight = std::count_if(tasks_.begin(), tasks_.end(), [&](const auto& one) {
        return one.second.segment.session == session;
    });
    if (static_cast<std::size_t>(in_flight) > kInFlightMax)
        violated("a session has more than four segments in flight");
}

// ---- results

std::uint64_t OrchestratorNode::check_renditions(const orchestrator::Commit& e,
                                                 const Attempt& attempt) const {
    const std::uint64_t maker = maker_tag(attempt.transcoder, epoch_, e.task, e.attempt);
    std::uint64_t content = 0;
    for (const RenditionReport& report : e.report.renditions) {
        const auto found = attempt.renditions.find(report.index);
        if (found == attempt.renditions.end())
            violated("a result was committed before its renditions were there");
        const Blob& blob = *found->second;
        if (blob.sha256 != report.sha256 || blob.bytes != report.bytes)
            violated("a result was committed whose hashes are not those of its bytes");
        if (blob.source != e.segment.sha256)
            violated("a rendition of another segment was committed");
        if (blob.maker != maker)
            violated("a rendition of another attempt was committed");
        content = mix(content, short_hash(blob.sha256));
    }
    return content;
}

void OrchestratorNode::perform(const orchestrator::Commit& e) {
    note("commit", e.task.value, e.attempt.value);
    const auto task = tasks_.find(e.task);
    const auto attempt = attempts_.find({e.task, e.attempt});
    if (task == tasks_.end() || task->second.committing)
        violated("a task was committed twice, or after its end");
    if (attempt == attempts_.end() || attempt->second.at != e.transcoder)
        violated("an attempt that is not on record was committed");
    if (e.segment.sha256 != task->second.body->sha256)
        violated("a task was committed under another segment's hash");
    (void)check_renditions(e, attempt->second);
    task->second.segment = e.segment;
    task->second.committing = true;
    task->second.renditions = attempt->second.renditions;
    attempt->second.committing = true;
    store_.commit(e, [this, life_epoch = epoch_, id = e.task,
                      number = e.attempt](const Result<void>& result) {
        if (alive() && life_epoch == epoch_)
            deliver([this, id, number, result] { core_->committed(id, number, result, now()); });
    });
}

void OrchestratorNode::perform(const orchestrator::Deliver& e) {
    note("deliver", e.task.value, e.attempt.value);
    auto node = tasks_.extract(e.task);
    if (node.empty())
        violated("a task was answered twice");
    PendingTask& task = node.mapped();
    if (!task.committing || e.segment != task.segment)
        violated("a result was delivered that was not committed");
    if (!store_.booked(e.segment))
        violated("a result was delivered that is not in the store");
    std::uint64_t content = 0;
    for (const RenditionReport& report : e.report.renditions)
        content = mix(content, short_hash(task.renditions.at(report.index)->sha256));
    answers_[e.answer] = {e.segment, content};
    ++tally_.delivered;
    for (const RequestId waiter : task.waiters)
        reply_to(waiter, Answered{e.segment, content});
    std::erase_if(attempts_, [&](const auto& one) { return one.first.first == e.task; });
    early_.erase(e.task);
    if (context_.options.mutation == Mutation::deliver_twice && context_.rng.chance(0.1))
        perform(e);
}

void OrchestratorNode::perform(const orchestrator::Fail& e) {
    note("fail", e.task.value, static_cast<std::uint64_t>(e.refusal.code));
    if (context_.options.mutation == Mutation::lose_answer && context_.rng.chance(0.3))
        return;
    auto node = tasks_.extract(e.task);
    if (node.empty())
        violated("a task was answered twice");
    const bool ended = e.refusal.code == ApiCode::not_found;  // by its broadcaster
    if (context_.options.single_faults && !ended)
        violated("one transcoder's trouble became a broadcaster's: " + e.refusal.detail);
    if (node.mapped().calm && !ended)
        violated("a segment failed although all is well: " + e.refusal.detail);
    ++tally_.failed;
    for (const RequestId waiter : node.mapped().waiters)
        reply_to(waiter, e.refusal);
    std::erase_if(attempts_, [&](const auto& one) { return one.first.first == e.task; });
    early_.erase(e.task);
}

void OrchestratorNode::perform(const orchestrator::Expect& e) {
    const auto task = tasks_.find(e.task);
    if (task == tasks_.end())
        violated("an unknown task is expected");
    task->second.deadline = e.deadline;
    task->second.segment = e.segment;
    check_in_flight(e.segment.session);
}

void OrchestratorNode::perform(const orchestrator::ForgetAnswer& e) {
    if (answers_.erase(e.answer) == 0)
        violated("an answer was forgotten twice");
}

void OrchestratorNode::perform(const orchestrator::PersistSession& e) {
    store_.save(e);
}

void OrchestratorNode::perform(const orchestrator::SessionEnded& e) {
    note("session ended", static_cast<std::uint64_t>(e.reason));
}

void OrchestratorNode::perform(const orchestrator::TranscoderChanged& e) {
    note(e.state == "ready"  ? "ready"
         : e.state == "lost" ? "is lost"
                             : "changed",
         peers_[e.key].transcoder);
}

// Nobody in here signs: cryptography has no place in virtual time.
void OrchestratorNode::perform(const orchestrator::KeepSigner&) {
    violated("a transcoder told a key that it does not have");
}

// In here transcoders are strangers to a restarted orchestrator.
void OrchestratorNode::perform(const orchestrator::KeepCordon&) {}

void OrchestratorNode::perform(const orchestrator::Noted& e) {
    using What = orchestrator::Noted::What;
    if (e.what == What::retry)
        ++tally_.retries;
    if (e.what == What::stale_attempt || e.what == What::stale_epoch ||
        e.what == What::stale_incarnation || e.what == What::stale_duplicate)
        ++tally_.stale;
    // Only lies are found out, and none is committed (check_renditions).
    if (e.what == What::bad_result && !context_.lies_told)
        violated("an honest result was found to be bad");
}

}  // namespace millrace::sim
