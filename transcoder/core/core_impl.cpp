#include "transcoder/core/core_impl.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace millrace::transcoder {
namespace {

constexpr int kExitDone = 0;
constexpr int kExitUnreachable = 69;

template <class... F>
struct Overloaded : F... {
    using F::operator()...;
};

}  // namespace

TranscoderCore::Impl::Impl(CoreConfig config) : config_(std::move(config)), work_(config_, *this) {
    Rng seeds(config_.seed);
    for (std::uint32_t which = 0; which < config_.orchestrators.size(); ++which)
        links_.push_back(
            std::make_unique<LinkPolicy>(config_, OrchestratorIndex{which}, seeds.next(), *this));
    announced_ = {work_.slots().size(), work_.slots().free()};
}

// ---- what links ask

std::vector<HeldTask> TranscoderCore::Impl::held_tasks(OrchestratorIndex which) const {
    std::vector<HeldTask> held;
    for (const TaskRef& ref : work_.tasks().of(which))
        held.push_back({ref.task, ref.attempt});
    return held;
}

Heartbeat TranscoderCore::Impl::heartbeat_for(OrchestratorIndex which) const {
    Heartbeat beat;
    beat.slots = work_.slots().size();
    beat.draining = leaving(which);
    beat.slots_free = beat.draining ? 0 : work_.slots().free();
    beat.tasks_active = static_cast<std::uint32_t>(work_.tasks().count(TaskStage::running));
    beat.load = work_.slots().load();
    for (const SlotOwner& owner : work_.slots().owners_of(which))
        beat.sessions.push_back(owner.session);
    beat.gpus = gpus_told;
    return beat;
}

// ---- what comes in

void TranscoderCore::Impl::start(TimePoint now) {
    alone_since_ = now;
    for (const auto& link : links_)
        link->open(now, effects);
    settle(now);
}

void TranscoderCore::Impl::lane_event(OrchestratorIndex which, LaneEvent event, TimePoint now) {
    if (exited_ || !known(which))
        return;
    obey(which, link(which).lane_event(event, now, effects), now);
    settle(now);
}

void TranscoderCore::Impl::on_message(OrchestratorIndex which, const FromOrchestrator& message,
                                      TimePoint now) {
    if (exited_ || !known(which))
        return;
    const LinkVerdict verdict = link(which).on_message(message, now, effects);
    obey(which, verdict, now);
    if (verdict.pass)
        handle(which, message.message, now);
    settle(now);
}

void TranscoderCore::Impl::on_payload(OrchestratorIndex which, const PayloadEnvelope& message,
                                      TimePoint now) {
    if (exited_ || !known(which))
        return;
    obey(which, link(which).on_payload(message, now, effects), now);
    settle(now);
}

void TranscoderCore::Impl::handle(OrchestratorIndex which, const ToTranscoder& message,
                                  TimePoint now) {
    std::visit(Overloaded{
                   [&](const Reserve& wish) { work_.reserve(which, wish, leaving(which)); },
                   [&](const Release& release) { work_.release(which, release); },
                   [&](const Dispatch& task) { work_.dispatch(which, task, leaving(which), now); },
                   [&](const Cancel& cancel) { work_.cancel(which, cancel, now); },
                   [&](const DrainRequest& request) { asked_to_leave(which, request, now); },
                   [](const auto&) {},  // the link's own messages were handled there
               },
               message);
}

void TranscoderCore::Impl::asked_to_leave(OrchestratorIndex which, const DrainRequest& request,
                                          TimePoint now) {
    // A cordon is kept by the orchestrator, which sends no new sessions; nothing changes here.
    if (!request.leave || leaving(which))
        return;
    const auto others = std::count_if(links_.begin(), links_.end(), [](const auto& link) {
        return link->state() != LinkState::gone;
    });
    if (others <= 1)
        return drain(now);
    leaving_.insert(which);
    link(which).send(Leaving{to_ms(config_.drain_timeout)}, effects);
    link(which).announce(now, effects);
}

void TranscoderCore::Impl::obey(OrchestratorIndex which, const LinkVerdict& verdict,
                                TimePoint now) {
    if (verdict.voided)
        work_.void_all(which, now);
    if (verdict.lost)
        work_.cut_transfers(which, now);
    if (verdict.joined) {
        work_.retell(which, now);
        if (draining_)
            link(which).send(Leaving{std::max<std::int64_t>(0, to_ms(drain_until_ - now))},
                             effects);
    }
}

// ---- what follows from a change

void TranscoderCore::Impl::settle(TimePoint now) {
    if (exited_)
        return;
    work_.reseat();
    finish_leaving(now);
    announce_changes(now);
    const bool joined = any_joined();
    if (!joined && !alone_)
        alone_since_ = now;
    alone_ = !joined;
    finish_drain(now);
    exit_when_alone();
}

void TranscoderCore::Impl::announce_changes(TimePoint now) {
    const std::pair<std::uint32_t, std::uint32_t> current{work_.slots().size(),
                                                          work_.slots().free()};
    if (current == announced_)
        return;
    announced_ = current;
    for (const auto& link : links_)
        link->announce(now, effects);
}

void TranscoderCore::Impl::finish_leaving(TimePoint now) {
    for (auto which = leaving_.begin(); which != leaving_.end();) {
        if (!work_.tasks().of(*which).empty()) {
            ++which;
            continue;
        }
        link(*which).send(Goodbye{"drained on request"}, effects);
        work_.void_all(*which, now);
        link(*which).leave(kExitDone, "drained on request of its operator", effects);
        which = leaving_.erase(which);
    }
}

void TranscoderCore::Impl::finish_drain(TimePoint now) {
    if (!draining_ || exited_)
        return;
    if (work_.tasks().empty())
        leave_at_once("drained", now);
    else if (now >= drain_until_)
        leave_at_once("drain timeout", now);
}

void TranscoderCore::Impl::leave_at_once(std::string why, TimePoint now) {
    for (const auto& link : links_)
        link->send(Goodbye{why}, effects);
    work_.stop_everything(now);
    exit(kExitDone, std::move(why));
}

void TranscoderCore::Impl::exit_when_alone() {
    const bool all_gone = std::all_of(links_.begin(), links_.end(), [](const auto& link) {
        return link->state() == LinkState::gone;
    });
    if (!all_gone || exited_)
        return;
    int code = kExitDone;
    std::string message = "no orchestrator is left";
    for (const auto& link : links_) {
        if (code != kExitDone)
            break;
        code = link->gone_code();
        message = link->gone_reason();
    }
    exit(code, std::move(message));
}

void TranscoderCore::Impl::exit(int code, std::string message) {
    exited_ = true;
    effects.push_back(Exit{code, std::move(message)});
}

void TranscoderCore::Impl::drain(TimePoint now) {
    if (exited_)
        return;
    if (draining_)
        return leave_at_once("told to leave twice", now);
    draining_ = true;
    drain_until_ = now + config_.drain_timeout;
    for (const auto& link : links_) {
        link->send(Leaving{to_ms(config_.drain_timeout)}, effects);
        link->announce(now, effects);
    }
    settle(now);
}

void TranscoderCore::Impl::set_slots(std::uint32_t slots, TimePoint now) {
    work(now, [&](Work& work) { work.resize(slots); });
}

// ---- time

void TranscoderCore::Impl::advance_to(TimePoint now) {
    if (exited_)
        return;
    for (std::uint32_t which = 0; which < links_.size(); ++which)
        obey(OrchestratorIndex{which}, links_[which]->advance_to(now, effects), now);
    work_.advance_to(now);
    settle(now);
    if (!exited_ && config_.exit_if_unreachable && alone_ &&
        now >= alone_since_ + config_.unreachable_after) {
        work_.stop_everything(now);
        exit(kExitUnreachable, "no orchestrator could be reached");
    }
}

std::optional<TimePoint> TranscoderCore::Impl::next_deadline() const {
    if (exited_)
        return std::nullopt;
    std::optional<TimePoint> next = work_.next_deadline();
    const auto also = [&](std::optional<TimePoint> when) {
        if (when)
            next = next ? std::min(*next, *when) : *when;
    };
    for (const auto& link : links_)
        also(link->next_deadline());
    if (draining_)
        also(drain_until_);
    if (config_.exit_if_unreachable && alone_)
        also(alone_since_ + config_.unreachable_after);
    return next;
}

// ---- looking in

bool TranscoderCore::Impl::any_joined() const {
    return std::any_of(links_.begin(), links_.end(),
                       [](const auto& link) { return link->state() == LinkState::joined; });
}

CoreStatus TranscoderCore::Impl::status() const {
    CoreStatus status;
    for (const auto& link : links_)
        status.orchestrators.push_back(link->status());
    const TaskTable& tasks = work_.tasks();
    status.slots = work_.slots().size();
    status.slots_reserved = work_.slots().reserved();
    status.tasks_active = static_cast<std::uint32_t>(tasks.count(TaskStage::running));
    status.tasks_waiting = static_cast<std::uint32_t>(tasks.count(TaskStage::waiting) +
                                                      tasks.count(TaskStage::receiving));
    status.draining = draining_;
    status.gpus = work_.gpus();
    return status;
}

void TranscoderCore::Impl::check_invariants() const {
    work_.check_invariants();
    for (std::uint32_t which = 0; which < links_.size(); ++which) {
        const LinkPolicy& link = *links_[which];
        const bool may_hold = link.up() || link.holding();
        MR_CHECK(may_hold || exited_ || work_.tasks().of(OrchestratorIndex{which}).empty(),
                 "tasks are held for orchestrators that are joined, or were a lease ago");
        MR_CHECK(may_hold || exited_ || work_.slots().owners_of(OrchestratorIndex{which}).empty(),
                 "slots are held for orchestrators that are joined, or were a lease ago");
    }
}

}  // namespace millrace::transcoder
