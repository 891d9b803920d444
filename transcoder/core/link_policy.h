#pragma once
// LinkPolicy: how one orchestrator is joined, kept and lost.
//
//   enrolling -> greeting -> binding -> joined        (and `gone` when the answer is a final no)
//
// - enrolling: over the token's key; Enrol until Enrolled, then fresh sockets with our own key.
// - greeting: Hello every 500 ms, with jitter, until Welcome.
// - binding: the payload lane is open; LaneHello until LaneWelcome. Heartbeats flow from here on.
// - joined: a heartbeat and a LaneBeat a second. Silence of either lane for the lease loses the
//   link: fresh sockets, greeting again. Slots and tasks are held for one more lease, so that the
//   same epoch can find them; another epoch, or WhoAreYou, voids them.
// - A refused own key tries the token once. Without one, or when that is refused too: gone.
//
// Thread: transcoder loop. Owner: TranscoderCore. Clock: none.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "common/base/time.h"
#include "common/domain/protocol.h"
#include "transcoder/core/transcoder_core.h"

namespace millrace::transcoder {

enum class LinkState : std::uint8_t { enrolling, greeting, binding, joined, gone };

// What the policy must ask about the rest of the core.
class LinkView {
public:
    virtual ~LinkView() = default;
    [[nodiscard]] virtual std::vector<HeldTask> held_tasks(OrchestratorIndex which) const = 0;
    // Everything but number, sent_at_us and rtt_us.
    [[nodiscard]] virtual Heartbeat heartbeat_for(OrchestratorIndex which) const = 0;
    [[nodiscard]] virtual std::uint32_t slots() const = 0;
};

// What the rest of the core must do about a change of the link.
struct LinkVerdict {
    bool pass = false;    // the message is of this epoch and over a live link: handle it
    bool voided = false;  // slots and tasks of this orchestrator are void: drop them
    bool lost = false;    // held for the lease; transfers are cut
    bool joined = false;  // both lanes are up; possibly again, with tasks still held
    bool gone = false;    // for good
};

class LinkPolicy {
public:
    LinkPolicy(const CoreConfig& config, OrchestratorIndex which, std::uint64_t seed,
               const LinkView& view);

    void open(TimePoint now, Effects& out);
    [[nodiscard]] LinkVerdict lane_event(LaneEvent event, TimePoint now, Effects& out);
    [[nodiscard]] LinkVerdict on_message(const FromOrchestrator& message, TimePoint now,
                                         Effects& out);
    [[nodiscard]] LinkVerdict on_payload(const PayloadEnvelope& message, TimePoint now,
                                         Effects& out);
    [[nodiscard]] LinkVerdict advance_to(TimePoint now, Effects& out);
    // At once instead of at the next second: the free count changed.
    void announce(TimePoint now, Effects& out);
    // Leaves for good: closes the lanes. `code` and `why` count when no orchestrator is left.
    void leave(int code, std::string why, Effects& out);

    // Drops the message when the link is not up: what an orchestrator did not hear, it does not
    // count on.
    void send(ToOrchestrator message, Effects& out) const;

    [[nodiscard]] std::optional<TimePoint> next_deadline() const;
    [[nodiscard]] LinkState state() const { return state_; }
    [[nodiscard]] bool up() const;  // control lane: binding or joined
    [[nodiscard]] bool holding() const { return held_until_.has_value(); }
    [[nodiscard]] Epoch epoch() const { return epoch_; }
    [[nodiscard]] int gone_code() const { return gone_code_; }
    [[nodiscard]] const std::string& gone_reason() const { return gone_reason_; }
    [[nodiscard]] OrchestratorLinkStatus status() const;

private:
    [[nodiscard]] const OrchestratorEntry& entry() const;
    void reopen(bool enrolling, TimePoint now, Effects& out);
    [[nodiscard]] LinkVerdict lose(const std::string& why, TimePoint now, Effects& out);
    [[nodiscard]] LinkVerdict greet_again(TimePoint now, Effects& out);
    [[nodiscard]] LinkVerdict refused(JoinRefusal reason, const std::string& detail, TimePoint now,
                                      Effects& out);
    [[nodiscard]] LinkVerdict welcome(const FromOrchestrator& message, const Welcome& welcome,
                                      TimePoint now, Effects& out);
    void enrolled(const Enrolled& enrolled, TimePoint now, Effects& out);
    void acknowledged(const HeartbeatAck& ack, TimePoint now);
    void say(ToOrchestrator message, Effects& out) const;
    void say_hello(TimePoint now, Effects& out);
    void say_payload(PayloadMessage message, Effects& out) const;
    void beat(TimePoint now, Effects& out);
    [[nodiscard]] Duration jitter(Duration up_to);

    const CoreConfig& config_;
    OrchestratorIndex which_;
    const LinkView& view_;
    Rng rng_;
    LinkState state_ = LinkState::greeting;
    bool own_key_known_;        // enrolled before, or in this run
    bool token_tried_ = false;  // since our own key was refused
    bool was_up_ = false;       // joined before: spread the next hello
    bool told_down_ = false;    // LinkChanged said that it is down
    std::string name_;
    Epoch epoch_;
    std::uint64_t nonce_ = 0;
    Duration heartbeat_;
    Duration lease_;
    TimePoint hello_at_;     // next Enrol, Hello or LaneHello
    TimePoint patience_at_;  // greeting unanswered: fresh sockets
    TimePoint beat_at_;
    TimePoint lane_beat_at_;
    TimePoint control_seen_;
    TimePoint payload_seen_;
    std::optional<TimePoint> held_until_;
    std::uint64_t beats_ = 0;
    std::uint64_t lane_beats_ = 0;
    std::int64_t rtt_us_ = 0;
    int gone_code_ = 0;
    std::string gone_reason_;
};

// The sentence of an exit 77.
[[nodiscard]] std::string refusal_sentence(JoinRefusal reason, const std::string& address,
                                           const std::string& detail);

}  // namespace millrace::transcoder
