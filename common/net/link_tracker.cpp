#include "common/net/link_tracker.h"

#include <utility>

#include <zmq.h>

namespace millrace::net {

namespace {

// The handshake's own time is 2 s; everything that ends an attempt earlier was done by the peer.
constexpr Duration kTimedOutAfter = std::chrono::milliseconds(1800);

}  // namespace

std::string_view to_string(LinkEvent event) {
    switch (event) {
        case LinkEvent::connected:
            return "connected";
        case LinkEvent::up:
            return "up";
        case LinkEvent::refused:
            return "refused";
        case LinkEvent::not_ours:
            return "not_ours";
        case LinkEvent::timed_out:
            return "timed_out";
        case LinkEvent::unreachable:
            return "unreachable";
        case LinkEvent::down:
            return "down";
    }
    return "?";
}

LinkEvent LinkTracker::cut_in_handshake(TimePoint now) const {
    return now - connected_at_ >= kTimedOutAfter ? LinkEvent::timed_out : LinkEvent::not_ours;
}

std::vector<LinkEvent> LinkTracker::on_monitor(TimePoint now, int event, int value) {
    constexpr int kZapRefused = 400;
    switch (event) {
        case ZMQ_EVENT_CONNECTED:
            tcp_ = true;
            told_ = stranded_ = false;
            connected_at_ = now;
            return {LinkEvent::connected};
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
            up_ = told_ = true;
            return {LinkEvent::up};
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
            told_ = true;
            refused_ = value == kZapRefused;
            return {refused_ ? LinkEvent::refused : LinkEvent::timed_out};
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            if (std::exchange(told_, true))
                return {};
            return {cut_in_handshake(now)};
        case ZMQ_EVENT_DISCONNECTED:
            stranded_ = true;
            if (std::exchange(up_, false))
                return {LinkEvent::down};
            if (std::exchange(told_, true))
                return {};
            return {cut_in_handshake(now)};
        case ZMQ_EVENT_CONNECT_RETRIED:
            stranded_ = false;
            if (std::exchange(tcp_, false))
                return {};
            return {LinkEvent::unreachable};
        default:
            return {};
    }
}

JoinProbe::Verdict JoinProbe::on_event(LinkEvent event) {
    switch (event) {
        case LinkEvent::up:
            verdict_ = Verdict::joined;
            break;
        case LinkEvent::refused:
            verdict_ = Verdict::refused;
            break;
        case LinkEvent::unreachable:
            cuts_ = 0;
            verdict_ = Verdict::unreachable;
            break;
        case LinkEvent::not_ours:
            verdict_ = ++cuts_ >= kCutsForForeign ? Verdict::foreign : Verdict::pending;
            break;
        case LinkEvent::timed_out:
        case LinkEvent::down:
            cuts_ = 0;
            verdict_ = Verdict::pending;
            break;
        case LinkEvent::connected:
            break;
    }
    return verdict_;
}

}  // namespace millrace::net
