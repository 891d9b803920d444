#include "orchestrator/journal/journal.h"

#include <algorithm>

namespace millrace::orchestrator {

std::string_view why_it_ended(Noted::What what) {
    switch (what) {
        case Noted::What::attempt_failed:
            return "failed";
        case Noted::What::attempt_stalled:
            return "stalled: no progress";
        case Noted::What::attempt_lost:
            return "lost with its transcoder";
        case Noted::What::attempt_refused:
            return "turned away";
        case Noted::What::attempt_late:
            return "would have been late";
        case Noted::What::bad_result:
            return "bad result";
        default:
            return "superseded";
    }
}

void Journal::note(const Effect& effect, TimePoint now, WallTime wall) {
    std::visit([this, at = Moment{now, wall}](const auto& one) { on(one, at); }, effect);
}

std::vector<const Trace*> Journal::find(const SessionId& session, std::uint64_t seq) const {
    std::vector<const Trace*> found;
    for (auto task = order_.rbegin(); task != order_.rend(); ++task)
        if (const Trace& trace = traces_.at(*task);
            trace.segment.seq == seq && trace.segment.session == session)
            found.push_back(&trace);
    return found;
}

void Journal::on(const Send& effect, const Moment& at) {
    const auto* dispatch = std::get_if<Dispatch>(&effect.message);
    if (dispatch == nullptr)
        return;
    Trace& trace = trace_of(dispatch->task, dispatch->segment, at);
    step(trace, at,
         {{},
          "dispatched",
          name_of(effect.to),
          dispatch->attempt.value,
          dispatch->bytes == 0 ? "while it still arrives" : ""});
}

void Journal::on(const DropAttempt& effect, const Moment& at) {
    Trace* trace = known(effect.task);
    if (trace == nullptr)
        return;
    step(*trace, at,
         {{},
          "attempt ended",
          name_of(effect.at),
          effect.attempt.value,
          std::string(why_it_ended(effect.why))});
    // An early attempt that is withdrawn may leave a task that never was; one that failed may still be adopted.
    if (!trace->accepted && effect.why == Noted::What::attempt_superseded)
        forget(effect.task);
}

void Journal::on(const Expect& effect, const Moment& at) {
    Trace& trace = trace_of(effect.task, effect.segment, at);
    trace.segment = effect.segment;
    trace.stream = effect.stream;
    const std::string left = std::to_string(to_ms(effect.deadline - at.now)) + " ms left";
    step(trace, at, {{}, trace.accepted ? "deadline moved" : "accepted", "", 0, left});
    trace.accepted = true;
}

void Journal::on(const Commit& effect, const Moment& at) {
    Trace& trace = trace_of(effect.task, effect.segment, at);
    trace.times = effect.report.times;
    step(trace, at,
         {{}, "result", effect.transcoder_name, effect.attempt.value, "being committed"});
}

void Journal::on(const Deliver& effect, const Moment& at) {
    Trace& trace = trace_of(effect.task, effect.segment, at);
    trace.outcome = "answered";
    step(trace, at, {{}, "answered", effect.transcoder_name, effect.attempt.value, ""});
    tell(SegmentEvent{effect.segment, effect.stream, "answered", effect.transcoder_name, "",
                      effect.total});
}

void Journal::on(const Fail& effect, const Moment& at) {
    Trace& trace = trace_of(effect.task, effect.segment, at);
    trace.outcome = "failed";
    step(trace, at,
         {{},
          "failed",
          "",
          0,
          std::string(name(effect.refusal.code)) + ": " + effect.refusal.detail});
    tell(SegmentEvent{effect.segment, effect.stream, "failed", "", effect.refusal.detail,
                      at.now - trace.began});
}

void Journal::on(const PersistSession& effect, const Moment&) {
    if (effect.ended || !sessions_.emplace(effect.session, effect.stream).second)
        return;
    tell(SessionEvent{effect.session, effect.stream, "opened", ""});
}

void Journal::on(const SessionEnded& effect, const Moment&) {
    sessions_.erase(effect.session);
    tell(SessionEvent{effect.session, effect.stream, "ended", to_string(effect.reason)});
}

void Journal::on(const TranscoderChanged& effect, const Moment&) {
    if (effect.state == "left")
        names_.erase(effect.key);
    else
        names_[effect.key] = effect.name;
    tell(TranscoderEvent{effect.name, effect.state, effect.reason});
}

Trace& Journal::trace_of(TaskId task, const SegmentKey& segment, const Moment& at) {
    const auto [found, fresh] = traces_.try_emplace(task);
    if (fresh) {
        found->second.segment = segment;
        found->second.began = at.now;
        found->second.began_at = at.wall;
        order_.push_back(task);
        if (order_.size() > kTracesMax) {
            traces_.erase(order_.front());
            order_.pop_front();
        }
    }
    return found->second;
}

Trace* Journal::known(TaskId task) {
    const auto found = traces_.find(task);
    return found == traces_.end() ? nullptr : &found->second;
}

void Journal::step(Trace& trace, const Moment& at, TraceStep step) {
    if (trace.steps.size() >= kStepsMax)
        return;
    step.after = at.now - trace.began;
    trace.steps.push_back(std::move(step));
}

void Journal::forget(TaskId task) {
    traces_.erase(task);
    order_.erase(std::find(order_.begin(), order_.end(), task));
}

void Journal::tell(Event event) const {
    if (listener_)
        listener_(event);
}

std::string Journal::name_of(const TranscoderKey& key) const {
    const auto found = names_.find(key);
    return found == names_.end() ? "" : found->second;
}

}  // namespace millrace::orchestrator
