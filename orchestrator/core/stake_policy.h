#pragma once
// What stake allows: stake-backed capacity as a limit on sessions (contract.md, section 2).
//
// Rules
// - With a price per session the limit is floor(stake / price); without one stake only decides
//   whether the orchestrator may work at all.
// - Outside the active set nothing is backed: zero, and StakeInactive.
// - Unknown stake: the last known value holds for a grace period after it was read, then nothing
//   does. Why: a node that is down for a minute must not end a business, and one that is down for
//   good must not back sessions with stake that may be gone.
// - The limit binds new sessions only; admission sees to that (admission.h).
//
// Pure: time is an argument. Thread: its owner's. Owner: StakeKeeper, or a test.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "common/domain/lpt.h"

namespace millrace::orchestrator {

// What a source says.
struct StakeReading {
    Lpt tokens;
    bool active = false;  // in the active set: may receive work
    // Of Livepeer's rounds, where the source knows them.
    std::optional<std::uint64_t> round;
    bool operator==(const StakeReading&) const = default;
};

// The last good one, kept for the next start.
struct KeptStake {
    std::string subject;  // whose stake, from where (StakeSource::subject)
    StakeReading reading;
    WallTime read_at;
    bool operator==(const KeptStake&) const = default;
};

struct StakeRules {
    Lpt per_session;  // zero = stake sets no number
    Duration grace = std::chrono::minutes(10);
};

// What the core is told: see OrchestratorCore::set_stake.
struct StakeLimit {
    std::optional<std::uint32_t> sessions;  // nothing = unlimited
    bool active = false;
    bool operator==(const StakeLimit&) const = default;
};

// unknown: never read, or too long ago. stale: the last attempt failed, the value before it holds.
enum class StakeState : std::uint8_t { unknown, active, inactive, stale };
[[nodiscard]] std::string_view to_string(StakeState state);

class StakePolicy {
public:
    explicit StakePolicy(StakeRules rules) : rules_(rules) {}

    void read(const StakeReading& reading, TimePoint now);
    // Read before our start: holds as if the source had failed since.
    void resume(const StakeReading& reading, TimePoint read_at);
    // The source could not tell.
    void failed();

    // The rest holds as of `now`, which must not go backwards.
    [[nodiscard]] StakeLimit limit(TimePoint now) const;
    [[nodiscard]] StakeState state(TimePoint now) const;
    // When the limit changes by itself; nothing = not before the next reading.
    [[nodiscard]] std::optional<TimePoint> next_deadline(TimePoint now) const;

    // The last good one, however old.
    [[nodiscard]] const std::optional<StakeReading>& last() const { return last_; }
    [[nodiscard]] std::optional<TimePoint> read_at() const { return read_at_; }

private:
    [[nodiscard]] bool known(TimePoint now) const;

    StakeRules rules_;
    std::optional<StakeReading> last_;
    std::optional<TimePoint> read_at_;
    bool failing_ = false;
};

}  // namespace millrace::orchestrator
