#include "transcoder/core/link_policy.h"

#include <algorithm>
#include <utility>

namespace millrace::transcoder {
namespace {

// An orchestrator that is connected but does not answer gets fresh sockets this often: the last
// resort against a socket that has gone deaf (zeromq-and-failures, 0.4).
constexpr Duration kGreetingPatience = std::chrono::seconds(10);
// What a Welcome may ask for.
constexpr std::int64_t kHeartbeatMsMin = 50;
constexpr std::int64_t kHeartbeatMsMax = 10'000;
constexpr std::int64_t kLeaseMsMin = 200;
constexpr std::int64_t kLeaseMsMax = 60'000;
constexpr int kExitRefused = 77;

std::int64_t micros(TimePoint t) {
    return std::chrono::duration_cast<std::chrono::microseconds>(t.time_since_epoch()).count();
}

Duration milliseconds_in(std::int64_t ms, std::int64_t low, std::int64_t high) {
    return std::chrono::milliseconds(std::clamp(ms, low, high));
}

}  // namespace

std::string refusal_sentence(JoinRefusal reason, const std::string& address,
                             const std::string& detail) {
    std::string text = "join refused by " + address + ": ";
    switch (reason) {
        case JoinRefusal::malformed:
            text += "malformed: the join token cannot be read";
            break;
        case JoinRefusal::expired:
            text += "expired: the join token is too old; ask the orchestrator for a new one";
            break;
        case JoinRefusal::refused:
            text += "refused: this key or token is unknown there or was revoked";
            break;
        case JoinRefusal::foreign:
            text +=
                "foreign orchestrator: it does not have the key that the token or an earlier "
                "join names";
            break;
        case JoinRefusal::protocol:
            text += "protocol: its version does not work with this one";
            break;
    }
    if (!detail.empty())
        text += " (" + detail + ")";
    return text;
}

LinkPolicy::LinkPolicy(const CoreConfig& config, OrchestratorIndex which, std::uint64_t seed,
                       const LinkView& view)
    : config_(config),
      which_(which),
      view_(view),
      rng_(seed),
      own_key_known_(entry().enrolled),
      name_(config.name),
      heartbeat_(config.heartbeat),
      lease_(config.lease) {}

const OrchestratorEntry& LinkPolicy::entry() const {
    return config_.orchestrators.at(which_.value);
}

Duration LinkPolicy::jitter(Duration up_to) {
    return Duration(static_cast<std::int64_t>(
        rng_.below(static_cast<std::uint64_t>(std::max<std::int64_t>(1, up_to.count())))));
}

// ---- opening and closing

void LinkPolicy::open(TimePoint now, Effects& out) {
    if (own_key_known_ || entry().has_token)
        return reopen(!own_key_known_, now, out);
    leave(kExitRefused,
          "join refused: never enrolled with " + entry().address +
              " and no token for it; give it one with --join-token",
          out);
}

void LinkPolicy::reopen(bool enrolling, TimePoint now, Effects& out) {
    state_ = enrolling ? LinkState::enrolling : LinkState::greeting;
    nonce_ = rng_.next() | 1;
    patience_at_ = now + kGreetingPatience;
    hello_at_ = now + (was_up_ ? jitter(config_.hello_every) : Duration{0});
    out.push_back(OpenControl{which_, enrolling});
}

LinkVerdict LinkPolicy::lose(const std::string& why, TimePoint now, Effects& out) {
    if (state_ == LinkState::gone)
        return {};
    LinkVerdict verdict;
    if (up()) {
        verdict.lost = true;
        held_until_ = now + lease_;
        out.push_back(CloseLanes{which_});
        out.push_back(LinkChanged{which_, false, why});
        told_down_ = true;
    }
    reopen(!own_key_known_, now, out);
    return verdict;
}

// The orchestrator does not know us (any more): nothing of the old conversation counts. The
// sockets are good, the lane's binding is not.
LinkVerdict LinkPolicy::greet_again(TimePoint now, Effects& out) {
    const bool was_joined = state_ == LinkState::joined;
    state_ = LinkState::greeting;
    held_until_.reset();
    nonce_ = rng_.next() | 1;
    patience_at_ = now + kGreetingPatience;
    hello_at_ = now + jitter(config_.hello_every);
    if (was_joined)
        out.push_back(LinkChanged{which_, false, "the orchestrator does not know us any more"});
    return {.voided = true};
}

void LinkPolicy::leave(int code, std::string why, Effects& out) {
    if (state_ == LinkState::gone)
        return;
    state_ = LinkState::gone;
    held_until_.reset();
    gone_code_ = code;
    gone_reason_ = std::move(why);
    out.push_back(CloseLanes{which_});
    out.push_back(LinkChanged{which_, false, gone_reason_});
}

LinkVerdict LinkPolicy::refused(JoinRefusal reason, const std::string& detail, TimePoint now,
                                Effects& out) {
    const bool try_token = state_ != LinkState::enrolling && reason == JoinRefusal::refused &&
                           entry().has_token && !token_tried_;
    if (try_token) {
        token_tried_ = true;
        own_key_known_ = false;
        LinkVerdict verdict{.voided = true};
        held_until_.reset();
        reopen(true, now, out);
        return verdict;
    }
    leave(kExitRefused, refusal_sentence(reason, entry().address, detail), out);
    return {.voided = true, .gone = true};
}

// ---- what comes in

LinkVerdict LinkPolicy::lane_event(LaneEvent event, TimePoint now, Effects& out) {
    if (state_ == LinkState::gone)
        return {};
    switch (event) {
        case LaneEvent::connected:
            if (!up())
                hello_at_ = std::min(hello_at_,
                                     now + (was_up_ ? jitter(config_.hello_every) : Duration{0}));
            return {};
        case LaneEvent::refused:
            return refused(JoinRefusal::refused, "", now, out);
        case LaneEvent::expired:
            return refused(JoinRefusal::expired, "", now, out);
        case LaneEvent::foreign:
            return refused(JoinRefusal::foreign, "", now, out);
        case LaneEvent::lost:
            return up() ? lose("connection lost", now, out) : LinkVerdict{};
        case LaneEvent::unreachable:
            if (!told_down_ && !up()) {
                told_down_ = true;
                out.push_back(LinkChanged{which_, false, "unreachable, trying on"});
            }
            return {};
    }
    return {};
}

LinkVerdict LinkPolicy::on_message(const FromOrchestrator& message, TimePoint now, Effects& out) {
    if (state_ == LinkState::gone)
        return {};
    if (const auto* yes = std::get_if<Enrolled>(&message.message)) {
        enrolled(*yes, now, out);
        return {};
    }
    if (const auto* no = std::get_if<JoinRefused>(&message.message))
        return refused(no->reason, no->detail, now, out);
    if (state_ == LinkState::enrolling || message.fence.incarnation != config_.incarnation)
        return {};
    if (const auto* hello = std::get_if<Welcome>(&message.message))
        return welcome(message, *hello, now, out);
    if (!up() || message.fence.epoch < epoch_)
        return {};
    if (message.fence.epoch != epoch_ || std::holds_alternative<WhoAreYou>(message.message))
        return greet_again(now, out);
    if (const auto* ack = std::get_if<HeartbeatAck>(&message.message)) {
        acknowledged(*ack, now);
        return {};
    }
    return {.pass = true};
}

void LinkPolicy::enrolled(const Enrolled& yes, TimePoint now, Effects& out) {
    if (state_ != LinkState::enrolling)
        return;
    own_key_known_ = true;
    if (!yes.name.empty())
        name_ = yes.name;
    out.push_back(RememberOrchestrator{which_, name_});
    reopen(false, now, out);
}

LinkVerdict LinkPolicy::welcome(const FromOrchestrator& message, const Welcome& hello,
                                TimePoint now, Effects& out) {
    if (message.fence.epoch < epoch_ || (up() && message.fence.epoch == epoch_))
        return {};  // of a former life, or the answer to a repeated Hello
    LinkVerdict verdict;
    verdict.voided = message.fence.epoch != epoch_;
    epoch_ = message.fence.epoch;
    heartbeat_ = milliseconds_in(hello.heartbeat_ms, kHeartbeatMsMin, kHeartbeatMsMax);
    lease_ = milliseconds_in(hello.lease_ms, kLeaseMsMin, kLeaseMsMax);
    state_ = LinkState::binding;
    held_until_.reset();
    control_seen_ = now;
    payload_seen_ = now;  // the lane has a lease to come up
    beat_at_ = now;
    hello_at_ = now;
    if (!hello.name.empty())
        name_ = hello.name;
    out.push_back(RememberOrchestrator{which_, name_});
    out.push_back(OpenPayload{which_, hello.payload_endpoint});
    return verdict;
}

void LinkPolicy::acknowledged(const HeartbeatAck& ack, TimePoint now) {
    if (ack.number == 0 || ack.number > beats_)
        return;
    control_seen_ = now;
    const std::int64_t round_trip = micros(now) - ack.sent_at_us;
    if (round_trip >= 0 && round_trip <= kLeaseMsMax * 1000)
        rtt_us_ = round_trip;
}

LinkVerdict LinkPolicy::on_payload(const PayloadEnvelope& message, TimePoint now, Effects& out) {
    if (!up() || message.fence.epoch != epoch_)
        return {};
    if (const auto* hello = std::get_if<LaneWelcome>(&message.message)) {
        if (hello->nonce != nonce_)
            return {};
        payload_seen_ = now;
        if (state_ == LinkState::joined)
            return {};
        state_ = LinkState::joined;
        was_up_ = true;
        token_tried_ = false;
        told_down_ = false;
        lane_beat_at_ = now + heartbeat_;
        out.push_back(LinkChanged{which_, true, "joined as " + name_});
        return {.joined = true};
    }
    if (state_ == LinkState::joined)
        payload_seen_ = now;
    return {};
}

// ---- time

LinkVerdict LinkPolicy::advance_to(TimePoint now, Effects& out) {
    LinkVerdict verdict;
    if (held_until_ && now >= *held_until_) {
        held_until_.reset();
        verdict.voided = true;
    }
    if (state_ == LinkState::gone)
        return verdict;
    if (up() && now >= control_seen_ + lease_)
        return lose("no answer to heartbeats within the lease", now, out);
    if (up() && now >= payload_seen_ + lease_)
        return lose("the payload lane is silent", now, out);
    if (!up() && now >= patience_at_)
        reopen(state_ == LinkState::enrolling, now, out);
    if (state_ != LinkState::joined && now >= hello_at_)
        say_hello(now, out);
    if (up() && now >= beat_at_)
        beat(now, out);
    if (state_ == LinkState::joined && now >= lane_beat_at_) {
        say_payload(LaneBeat{++lane_beats_}, out);
        lane_beat_at_ = now + heartbeat_;
    }
    return verdict;
}

void LinkPolicy::announce(TimePoint now, Effects& out) {
    if (up())
        beat(now, out);
}

std::optional<TimePoint> LinkPolicy::next_deadline() const {
    std::optional<TimePoint> next = held_until_;
    const auto also = [&](TimePoint when) { next = next ? std::min(*next, when) : when; };
    if (state_ == LinkState::gone)
        return next;
    if (state_ != LinkState::joined)
        also(hello_at_);
    if (!up()) {
        also(patience_at_);
        return next;
    }
    also(beat_at_);
    also(control_seen_ + lease_);
    also(payload_seen_ + lease_);
    if (state_ == LinkState::joined)
        also(lane_beat_at_);
    return next;
}

// ---- what goes out

bool LinkPolicy::up() const {
    return state_ == LinkState::binding || state_ == LinkState::joined;
}

void LinkPolicy::send(ToOrchestrator message, Effects& out) const {
    if (up())
        say(std::move(message), out);
}

void LinkPolicy::say(ToOrchestrator message, Effects& out) const {
    const Fence fence{up() ? epoch_ : Epoch{}, config_.incarnation};
    out.push_back(SendControl{which_, FromTranscoder{fence, std::move(message)}});
}

void LinkPolicy::say_payload(PayloadMessage message, Effects& out) const {
    out.push_back(
        SendPayload{which_, PayloadEnvelope{Fence{epoch_, config_.incarnation}, message}});
}

void LinkPolicy::say_hello(TimePoint now, Effects& out) {
    hello_at_ = now + config_.hello_every + jitter(config_.hello_every / 2);
    if (state_ == LinkState::enrolling) {
        say(Enrol{config_.key, entry().token_id, config_.name}, out);
        return;
    }
    if (state_ == LinkState::binding) {
        say_payload(LaneHello{nonce_}, out);
        return;
    }
    Hello hello;
    hello.name = config_.name;
    hello.version = config_.version;
    hello.nonce = nonce_;
    hello.slots = view_.slots();
    hello.capabilities = config_.capabilities;
    hello.capacity = config_.capacity;
    hello.devices = config_.devices;
    hello.labels = config_.labels;
    hello.held = view_.held_tasks(which_);
    hello.held_epoch = epoch_;
    hello.signer = config_.signer;
    say(std::move(hello), out);
}

void LinkPolicy::beat(TimePoint now, Effects& out) {
    Heartbeat beat = view_.heartbeat_for(which_);
    beat.number = ++beats_;
    beat.sent_at_us = micros(now);
    beat.rtt_us = rtt_us_;
    beat_at_ = now + heartbeat_;
    say(std::move(beat), out);
}

OrchestratorLinkStatus LinkPolicy::status() const {
    OrchestratorLinkStatus status;
    status.address = entry().address;
    status.joined = state_ == LinkState::joined;
    status.payload_up = state_ == LinkState::joined;
    status.name = name_;
    status.epoch = epoch_;
    status.rtt_ms = static_cast<double>(rtt_us_) / 1000.0;
    return status;
}

}  // namespace millrace::transcoder
