// Looking in: status for people, invariants for tests.

#include <algorithm>

#include "common/base/check.h"
#include "orchestrator/core/core_impl.h"
#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {

using Impl = OrchestratorCore::Impl;

namespace {

double ratio(const Speed& speed) {
    return speed.permille() / 1000.0;
}

TranscoderStatus status_of(const Transcoder& t) {
    TranscoderStatus status;
    status.key = t.key;
    status.name = t.name;
    status.state = std::string(t.state());
    status.capacity = t.slots;
    status.load = t.reserved;
    status.devices = t.devices;
    status.gpus = t.gpus;
    status.capabilities = t.capabilities;
    status.labels = t.labels;
    status.version = t.version;
    status.realtime_ratio = ratio(t.speed);
    status.failures = t.failures;
    status.rtt_ms = static_cast<double>(t.rtt_us) / 1000.0;
    status.segments_ok = t.segments_ok;
    status.segments_failed = t.segments_failed;
    status.pixels = t.pixels;
    return status;
}

SessionStatus status_of(Session& s) {
    SessionStatus status;
    status.id = s.id;
    status.stream = s.stream;
    status.account = s.account;
    if (const Holding* slot = s.slot())
        status.transcoder = slot->at->name;
    status.segments_ok = s.segments_ok;
    status.segments_failed = s.segments_failed;
    status.in_flight = static_cast<std::uint32_t>(s.tasks.size()) + s.uploads + s.repeats;
    status.started_at = s.started_at;
    status.last_segment_at = s.last_segment_at;
    status.realtime_ratio = ratio(s.speed);
    status.effort = static_cast<double>(s.effort.permille()) / 1000.0;
    return status;
}

}  // namespace

CoreStatus Impl::status() {
    CoreStatus status;
    const Limits all = limits();
    const EffectiveLimit limit = effective_limit(all);
    status.capacity = {sessions_.holding_count(), limit.sessions, all.by_operator,
                       all.by_transcoders,        all.by_stake,   std::string(limit.binding)};
    for (const auto& [key, t] : registry_.all())
        if (t.shown) {
            status.transcoders.push_back(status_of(t));
            if (const auto signer = signers_.find(key); signer != signers_.end())
                status.transcoders.back().signer = signer->second;
        }
    std::sort(status.transcoders.begin(), status.transcoders.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    for (const auto& [no, s] : sessions_.all())
        if (!s->ended && s->confirmed)
            status.sessions.push_back(status_of(*s));
    for (SessionStatus& session : status.sessions) {
        session.started_at = callers(session.started_at);
        if (session.last_segment_at)
            session.last_segment_at = callers(*session.last_segment_at);
    }
    std::sort(status.sessions.begin(), status.sessions.end(),
              [](const auto& a, const auto& b) { return a.id < b.id; });
    for (const auto& [id, t] : tasks_.all())
        status.tasks_active += t.live.empty() ? 0 : 1;
    status.payload_bytes = payload_bytes_;
    return status;
}

void Impl::check_invariants() {
    sessions_.check_invariants();
    window_.check_invariants();

    std::map<const Transcoder*, std::uint32_t> reserved;
    std::map<const Transcoder*, Cost> cost;
    std::size_t tasks = 0;
    std::size_t reservations = 0;
    std::uint64_t payload = 0;
    for (const auto& [no, owned] : sessions_.all()) {
        Session& s = *owned;
        std::set<const Transcoder*> places;
        for (const Holding& h : s.holdings) {
            MR_CHECK(places.insert(h.at).second, "one holding per session and transcoder");
            MR_CHECK(h.at->joined, "slots are held at living transcoders");
            MR_CHECK(h.at->sessions.contains(no), "a transcoder knows who holds slots at it");
            MR_CHECK(reservations_.at(h.id) == no, "reservations are indexed");
            reserved[h.at] += 1;
            cost[h.at] = cost[h.at] + h.cost;
            ++reservations;
        }
        MR_CHECK(s.tasks.size() <= config_.in_flight_max, "in flight per session is bounded");
        MR_CHECK(s.confirmed || s.arriving(), "a provisional session has an upload");
        MR_CHECK(s.in_wanting == (!s.primary && (s.orphaned || has_waiting(s))),
                 "who waits for a slot is on the list");
        tasks += s.tasks.size();
        for (const TaskId id : s.tasks)
            MR_CHECK(tasks_.find(id)->session == &s, "tasks know their session");
    }
    MR_CHECK(tasks == tasks_.size() && reservations == reservations_.size(),
             "nothing is left over");
    for (const auto& [key, t] : registry_.all()) {
        MR_CHECK(t.reserved == reserved[&t] && t.reserved == t.sessions.size(), "load is counted");
        MR_CHECK(t.reserved_cost == cost[&t], "cost is counted");
        MR_CHECK(t.joined || t.reserved == 0, "the lost hold nothing");
        MR_CHECK(t.slots <= kSlotsMax, "claims are clamped");
    }
    for (const auto& [id, t] : tasks_.all()) {
        payload += t.bytes + t.rendition_bytes;
        MR_CHECK(t.live.size() <= 2 && !(t.committing && !t.live.empty()), "attempts are bounded");
        MR_CHECK(t.attempts_spent + (t.committing ? 1 : 0) <= config_.attempts_max,
                 "attempts that started are bounded");
        MR_CHECK(t.committing || timers_.at({TimerKind::task, id.value}).has_value(),
                 "an open task has a timer");
        MR_CHECK(t.committing || t.deadline >= now_ ||
                     *timers_.at({TimerKind::task, id.value}) <= t.deadline,
                 "no open task outlives its deadline");
        for (const Attempt& a : t.live)
            MR_CHECK(t.session->holding_at(*a.at) != nullptr, "attempts live in slots");
        MR_CHECK(!t.second_slot || t.session->holding(t.second_slot) != nullptr,
                 "a second attempt's slot is held");
    }
    std::size_t early = 0;
    for (const auto& [id, upload] : uploads_) {
        payload += upload.bytes;
        early += upload.early ? 1 : 0;
        MR_CHECK(upload.early.has_value() == (upload.session->early_upload == id),
                 "a session knows what is early of it");
        MR_CHECK(!upload.early || early_.at(upload.early->task) == id, "early attempts are found");
        MR_CHECK(!upload.early || upload.session->holding_at(*upload.early->attempt.at) != nullptr,
                 "early attempts live in slots");
    }
    MR_CHECK(early == early_.size(), "no early attempt is left over");
    MR_CHECK(payload == payload_bytes_, "payload bytes are counted");
}

}  // namespace millrace::orchestrator
