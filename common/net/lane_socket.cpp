#include "common/net/lane_socket.h"

#include <algorithm>
#include <cerrno>

#include <zmq.h>

#include "common/net/lane.h"

namespace millrace::net {

namespace {

constexpr Duration kLingerMax = std::chrono::seconds(1);

}  // namespace

LaneSocket::LaneSocket(Loop& loop, Socket socket, Socket monitor, Handlers handlers)
    : loop_(loop),
      socket_(std::move(socket)),
      monitor_(std::move(monitor)),
      handlers_(std::move(handlers)) {}

void LaneSocket::start() {
    watch_.emplace(loop_, socket_.fd());
    watch_->on_readable([self = weak_from_this()] {
        if (const auto alive = self.lock())
            alive->turn();
    });
    monitor_watch_.emplace(loop_, monitor_.fd());
    monitor_watch_->on_readable([self = weak_from_this()] {
        if (const auto alive = self.lock())
            alive->drain_events();
    });
    // What happened before the watches stood.
    loop_.post([self = weak_from_this()] {
        if (const auto alive = self.lock())
            alive->drain_events();
    });
    schedule_turn();
}

void LaneSocket::close(Duration linger) {
    if (!is_open())
        return;
    watch_.reset();
    monitor_watch_.reset();
    const Duration allowed = std::clamp(linger, Duration::zero(), kLingerMax);
    if (linger >= Duration::zero())
        (void)socket_.set(ZMQ_LINGER, static_cast<int>(to_ms(allowed)));
    zmq_socket_monitor(socket_.handle(), nullptr, 0);
    monitor_.close();
    socket_.close();
}

bool LaneSocket::receive_one() {
    received_.count = 0;
    Frame surplus;
    bool more = true;
    while (more) {
        // Parts of one message arrive together: only the first one can be missing.
        Frame& frame =
            received_.count < received_.frames.size() ? received_.frames[received_.count] : surplus;
        if (!socket_.receive(frame))
            return false;
        ++received_.count;
        more = has_more(frame);
    }
    return true;
}

void LaneSocket::turn() {
    turn_scheduled_ = false;
    if (!is_open())
        return;
    in_turn_ = true;
    for (int handled = 0; handled < kMessagesPerTurn && receive_one(); ++handled) {
        handlers_.message(received_);
        if (!is_open())
            return;
    }
    if (std::exchange(blocked_, false)) {
        handlers_.writable();
        if (!is_open())
            return;
    }
    in_turn_ = false;
    look_again();
}

void LaneSocket::drain_events() {
    MonitorEvent event;
    while (is_open() && receive_event(monitor_, event)) {
        // The socket must have taken in the new connection before anybody is told to use it.
        look_again();
        handlers_.event(event);
    }
}

void LaneSocket::look_again() {
    const bool input = (socket_.events() & ZMQ_POLLIN) != 0;
    if (input && !in_turn_)
        schedule_turn();
}

void LaneSocket::schedule_turn() {
    if (std::exchange(turn_scheduled_, true))
        return;
    loop_.post([self = weak_from_this()] {
        if (const auto alive = self.lock())
            alive->turn();
    });
}

SendResult LaneSocket::send(std::span<const std::uint8_t> route,
                            std::span<const std::uint8_t> header, const Slice& body) {
    if (!is_open())
        return SendResult::gone;
    const bool has_body = !body.bytes.empty();
    const auto first = [&] {
        return route.empty() ? socket_.send_copy(header, has_body) : socket_.send_copy(route, true);
    };
    int problem = first();
    if (problem == EAGAIN && (socket_.events() & ZMQ_POLLOUT) != 0)
        problem = first();  // libzmq had not looked at what its I/O thread had told it
    if (problem == EAGAIN) {
        blocked_ = true;
        return SendResult::would_block;
    }
    if (problem != 0)
        return SendResult::gone;
    // From here on frames follow the first one, or vanish with its connection.
    if (!route.empty())
        problem = socket_.send_copy(header, has_body);
    if (problem == 0 && has_body)
        problem = socket_.send_slice(body, false);
    look_again();
    if (blocked_)
        schedule_turn();  // this send may have used up the news that another peer has room
    return problem == 0 ? SendResult::sent : SendResult::gone;
}

}  // namespace millrace::net
