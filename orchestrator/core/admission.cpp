#include "orchestrator/core/admission.h"

#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {
namespace {

using std::chrono::seconds;

Refusal refusal(ApiCode code, std::string detail, std::optional<Duration> after) {
    return Refusal{code, std::move(detail), after};
}

// What concerns the process and everybody.
std::optional<Refusal> judge_process(const AdmissionFacts& f) {
    if (f.shutting_down)
        return refusal(ApiCode::shutting_down, "the orchestrator is stopping and takes no new work",
                       seconds(5));
    if (!f.store_available)
        return refusal(ApiCode::storage_unavailable,
                       "the orchestrator cannot write its records, so it takes no new work",
                       seconds(5));
    return std::nullopt;
}

// Whether anybody could do it; concerns sessions that need a slot.
std::optional<Refusal> judge_transcoders(const AdmissionFacts& f) {
    if (f.has_place)
        return std::nullopt;
    if (!f.stake_active)
        return refusal(ApiCode::stake_inactive, "the orchestrator's stake is not active",
                       seconds(60));
    if (!f.transcoder_ready)
        return refusal(ApiCode::no_transcoders, "no transcoder is ready", seconds(2));
    if (!f.compatible)
        return refusal(ApiCode::no_compatible_transcoders,
                       "no ready transcoder offers: " + f.missing, std::nullopt);
    return std::nullopt;
}

std::optional<Refusal> judge_room(const AdmissionFacts& f) {
    if (f.has_place)
        return std::nullopt;
    const EffectiveLimit limit = effective_limit(f.limits);
    if (f.used >= limit.sessions)
        return capped(limit.binding);
    if (f.room <= f.claims)
        return capped("transcoders");
    return std::nullopt;
}

std::optional<Refusal> judge_load(const AdmissionFacts& f) {
    if (f.new_session && f.sessions_open >= f.sessions_max)
        return busy("too many open sessions");
    if (!f.may_repeat && f.in_flight >= f.in_flight_max)
        return busy("the session has " + std::to_string(f.in_flight_max) +
                    " segments in flight already");
    if (f.may_repeat && f.repeats >= kRepeatUploadsMax)
        return busy("the segment is being uploaded too many times at once");
    if (f.upload_bytes > f.payload_budget || f.payload_bytes > f.payload_budget - f.upload_bytes)
        return busy("the orchestrator holds as many bytes in flight as it may");
    return std::nullopt;
}

}  // namespace

EffectiveLimit effective_limit(const Limits& limits) {
    EffectiveLimit limit{limits.by_transcoders, "transcoders"};
    if (limits.by_stake && *limits.by_stake <= limit.sessions)
        limit = {*limits.by_stake, "stake"};
    if (limits.by_operator && *limits.by_operator <= limit.sessions)
        limit = {*limits.by_operator, "operator"};
    return limit;
}

std::optional<Refusal> admit(const AdmissionFacts& facts) {
    if (auto no = judge_process(facts))
        return no;
    if (auto no = judge_transcoders(facts))
        return no;
    if (facts.quota)
        return facts.quota;
    if (auto no = judge_room(facts))
        return no;
    return judge_load(facts);
}

Refusal capped(std::string_view binding) {
    return refusal(ApiCode::orchestrator_capped,
                   "no room for another session; the limit that binds: " + std::string(binding),
                   seconds(5));
}

Refusal busy(std::string detail) {
    return refusal(ApiCode::orchestrator_busy, std::move(detail), seconds(1));
}

}  // namespace millrace::orchestrator
