#pragma once
// Internal to common/net: one zmq socket and its monitor on a Loop.
//
// ZMQ_FD tells only that something changed, and every call on the socket, a send too, may use that
// news up (measured: a wrapper that did not look again after a send hung for good in 2 of 3 runs,
// dependencies.md section 4). So: after each send ZMQ_EVENTS is read again, and if input waits, a
// turn is posted.
//
// Thread: the loop's. Owner: a lane, through a shared pointer, so that a handler may close it.

#include <array>
#include <functional>
#include <memory>
#include <optional>

#include "common/net/message.h"
#include "common/net/socket.h"
#include "common/runtime/loop.h"

namespace millrace::net {

// A message as it came. Frames beyond the last place are counted and thrown away.
struct Received {
    std::array<Frame, 3> frames;
    std::size_t count = 0;
};

class LaneSocket : public std::enable_shared_from_this<LaneSocket> {
public:
    struct Handlers {
        std::function<void(Received&)> message;
        std::function<void(const MonitorEvent&)> event;
        std::function<void()> writable;
    };

    LaneSocket(Loop& loop, Socket socket, Socket monitor, Handlers handlers);
    // Begins to watch. Apart from the constructor because it needs the shared pointer.
    void start();
    // No handler is called any more, from now on.
    void close(Duration linger);
    [[nodiscard]] bool is_open() const { return socket_.is_open(); }

    // `route`: the first frame on a ROUTER, empty on a DEALER.
    [[nodiscard]] SendResult send(std::span<const std::uint8_t> route,
                                  std::span<const std::uint8_t> header, const Slice& body);
    // Reports every connection event there is, now.
    void drain_events();

private:
    void turn();
    bool receive_one();
    void look_again();
    void schedule_turn();

    Loop& loop_;
    Socket socket_;
    Socket monitor_;
    Handlers handlers_;
    std::optional<FdWatch> watch_;
    std::optional<FdWatch> monitor_watch_;
    Received received_;
    bool in_turn_ = false;
    bool turn_scheduled_ = false;
    bool blocked_ = false;  // a send said would_block and nobody was told since
};

}  // namespace millrace::net
