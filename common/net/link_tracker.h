#pragma once
// LinkTracker: turns what libzmq's monitor says about a client socket into LinkEvents. JoinProbe:
// turns LinkEvents into the answer a person wants when a join does not work.
//
// What libzmq 4.3.4 reports, seen on loopback: wrong server key = connected, handshake failed
// without detail (EPIPE), disconnected, retried; ZAP 400 = connected, auth failure 400,
// disconnected, and never again; ZAP 300 = connected, then silence until the handshake's time is
// over; an HTTP server = connected, disconnected, and never again; nobody = closed, retried.
//
// Thread: their owner's. No clock, no socket. Owner: ClientLane; transcoder/link.

#include <cstdint>
#include <vector>

#include "common/base/time.h"
#include "common/net/lane.h"

namespace millrace::net {

class LinkTracker {
public:
    // `event`, `value`: as in zmq_socket_monitor(3). What the owner should hear, in order.
    [[nodiscard]] std::vector<LinkEvent> on_monitor(TimePoint now, int event, int value);

    [[nodiscard]] bool is_up() const { return up_; }
    // The socket lost its connection and libzmq has not said that it will try again.
    [[nodiscard]] bool stranded() const { return stranded_; }
    [[nodiscard]] bool refused() const { return refused_; }

private:
    [[nodiscard]] LinkEvent cut_in_handshake(TimePoint now) const;

    bool tcp_ = false;  // this attempt reached somebody
    bool up_ = false;
    bool told_ = false;  // this attempt's failure was reported
    bool refused_ = false;
    bool stranded_ = false;
    TimePoint connected_at_{};
};

class JoinProbe {
public:
    enum class Verdict : std::uint8_t {
        pending,
        joined,
        unreachable,  // nobody answers there, up to now
        refused,      // the orchestrator knows the key not, or no more
        foreign,      // somebody answers there, but not the orchestrator of this token
    };

    // A single cut handshake may be an orchestrator that is just going down.
    static constexpr int kCutsForForeign = 3;

    Verdict on_event(LinkEvent event);
    [[nodiscard]] Verdict verdict() const { return verdict_; }

private:
    Verdict verdict_ = Verdict::pending;
    int cuts_ = 0;
};

}  // namespace millrace::net
