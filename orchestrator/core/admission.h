#pragma once
// Who may come in: the refusals that headers decide, in the contract's order, from facts gathered
// by the facade.
//
// Rules
// - Precedence is contract.md section 4's, from ShuttingDown on. What names and owners decide (403,
//   404, 409) is decided before, by the session table.
// - A session that has a slot, or a right to wait for one, is only refused what concerns the whole
//   process and its own number of segments in flight: falling stake, a lowered limit or a lost
//   transcoder never end it.
// - An idle session's slot counts as free: it goes to the newcomer.
// - A detail names the limit that binds: operator, transcoders or stake.
//
// Thread: any; values.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "orchestrator/core/effects.h"

namespace millrace::orchestrator {

// The three limits of contract.md section 2. Nothing = unlimited.
struct Limits {
    std::optional<std::uint32_t> by_operator;
    std::optional<std::uint32_t> by_stake;
    std::uint32_t by_transcoders = 0;  // slots of ready transcoders
};
struct EffectiveLimit {
    std::uint32_t sessions = 0;
    std::string_view binding;  // operator, transcoders, stake; the first named of equals
};
[[nodiscard]] EffectiveLimit effective_limit(const Limits& limits);

struct AdmissionFacts {
    bool shutting_down = false;
    bool store_available = true;
    bool stake_active = true;

    bool has_place = false;         // the session holds a slot or waits for one by right
    bool transcoder_ready = false;  // any
    bool compatible = false;        // one that can do the ladder is ready
    std::string missing;            // what the ready ones lack
    Limits limits;
    std::uint32_t used = 0;    // sessions with a slot (idle ones left out) or a claim to one
    std::uint32_t claims = 0;  // sessions without a slot that have been let in
    std::uint32_t room = 0;    // slots free or held by idle sessions, on compatible transcoders

    std::optional<Refusal> quota;  // the account's own limits, where one is reached (quota.h)

    bool new_session = false;
    std::size_t sessions_open = 0;
    std::size_t sessions_max = 0;
    std::uint32_t in_flight = 0;  // of the session, uploads included
    std::uint32_t in_flight_max = 0;
    bool may_repeat = false;    // its number is in flight or was answered: the body will tell
    std::uint32_t repeats = 0;  // such uploads at this moment
    std::uint64_t payload_bytes = 0;
    std::uint64_t payload_budget = 0;
    std::uint64_t upload_bytes = 0;  // as announced; 0 = unknown
};

// Nothing = let in.
[[nodiscard]] std::optional<Refusal> admit(const AdmissionFacts& facts);

// The same refusal wherever it arises.
[[nodiscard]] Refusal capped(std::string_view binding);
[[nodiscard]] Refusal busy(std::string detail);

}  // namespace millrace::orchestrator
