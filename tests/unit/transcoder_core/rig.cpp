#include "tests/unit/transcoder_core/rig.h"

#include <algorithm>
#include <utility>

namespace millrace::transcoder {

CoreConfig a_config(std::uint32_t slots, std::uint32_t orchestrators) {
    CoreConfig config;
    config.name = "mill";
    config.version = "0.1.0";
    config.key = TranscoderKey{std::string(40, 'k')};
    config.incarnation = Incarnation{99};
    config.slots = slots;
    config.seed = 5;
    for (std::uint32_t i = 0; i < orchestrators; ++i)
        config.orchestrators.push_back({.address = "10.0.0." + std::to_string(i + 1) + ":8936",
                                        .enrolled = true,
                                        .has_token = false,
                                        .token_id = ""});
    return config;
}

SessionId session(const std::string& name) {
    return SessionId{name};
}

TaskRef ref(std::uint64_t task, std::uint64_t attempt, OrchestratorIndex from) {
    return {from, TaskId{task}, AttemptNo{attempt}};
}

Dispatch a_dispatch(std::uint64_t task, const std::string& session_name, std::uint64_t attempt) {
    Dispatch dispatch;
    dispatch.task = TaskId{task};
    dispatch.attempt = AttemptNo{attempt};
    dispatch.segment.session = session(session_name);
    dispatch.segment.seq = task;
    dispatch.bytes = 1000;
    dispatch.duration_ms = 2000;
    dispatch.time_left_ms = 6000;
    dispatch.ladder.push_back(*preset_rendition("P240p30fps16x9"));
    return dispatch;
}

Rig::Rig(CoreConfig config)
    : core(config), incarnation(config.incarnation), sides_(config.orchestrators.size()) {
    core.start(now);
}

void Rig::collect() {
    for (Effect& effect : core.take_effects()) {
        note(effect);
        seen_.push_back(std::move(effect));
    }
    core.check_invariants();
}

void Rig::note(const Effect& effect) {
    if (const auto* control = std::get_if<SendControl>(&effect)) {
        Side& side = sides_.at(control->orchestrator.value);
        if (const auto* hello = std::get_if<Hello>(&control->message.message))
            side.nonce = hello->nonce;
        if (const auto* beat = std::get_if<Heartbeat>(&control->message.message))
            side.unanswered.push_back(*beat);
    }
}

Effects Rig::take() {
    collect();
    return std::exchange(seen_, {});
}

void Rig::receive(OrchestratorIndex from, Epoch epoch, ToTranscoder message) {
    core.on_message(from, FromOrchestrator{{epoch, incarnation}, std::move(message)}, now);
    collect();
}

void Rig::receive(OrchestratorIndex from, ToTranscoder message) {
    receive(from, sides_.at(from.value).epoch, std::move(message));
}

void Rig::event(LaneEvent event, OrchestratorIndex which) {
    core.lane_event(which, event, now);
    collect();
}

void Rig::welcome(OrchestratorIndex which, Epoch epoch) {
    Side& side = sides_.at(which.value);
    side.epoch = epoch;
    side.unanswered.clear();
    receive(which, Welcome{"mill", ":8937", 1000, 3000});
}

void Rig::lane_welcome(OrchestratorIndex which) {
    const Side& side = sides_.at(which.value);
    core.on_payload(which, {{side.epoch, incarnation}, LaneWelcome{side.nonce}}, now);
    collect();
}

void Rig::join(OrchestratorIndex which, Epoch epoch) {
    event(LaneEvent::connected, which);
    pass(1s, false);  // at the latest now a Hello has gone out
    welcome(which, epoch);
    lane_welcome(which);
    pass(0s);
    seen_.clear();
}

void Rig::pass(Duration time, bool answer) {
    const TimePoint end = now + time;
    while (true) {
        const auto next = core.next_deadline();
        now = next ? std::clamp(*next, now, end) : end;
        core.advance_to(now);
        collect();
        for (std::uint32_t i = 0; answer && i < sides_.size(); ++i) {
            for (const Heartbeat& beat : std::exchange(sides_[i].unanswered, {}))
                receive(OrchestratorIndex{i}, HeartbeatAck{beat.number, beat.sent_at_us});
            core.on_payload(OrchestratorIndex{i}, {{sides_[i].epoch, incarnation}, LaneBeat{1}},
                            now);
        }
        const auto again = core.next_deadline();
        if (now >= end && (!again || *again > end))
            return;
    }
}

void Rig::reserve(const std::string& name, OrchestratorIndex from) {
    receive(from, Reserve{ReservationId{1}, session(name), {}, 0});
}

void Rig::received(std::uint64_t task, OrchestratorIndex from) {
    core.source_received(ref(task, 1, from), now);
    collect();
}

void Rig::dispatch(std::uint64_t task, const std::string& name, OrchestratorIndex from) {
    reserve(name, from);
    receive(from, a_dispatch(task, name));
    received(task, from);
}

void Rig::finish(SlotNo slot, TaskRef task) {
    core.engine_finished(slot, task, {}, {}, now);
    collect();
}

std::optional<Exit> Rig::exited() {
    const auto exits = all<Exit>();
    REQUIRE(exits.size() <= 1);
    return exits.empty() ? std::nullopt : std::optional(exits.front());
}

}  // namespace millrace::transcoder
