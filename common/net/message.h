#pragma once
// What travels on a lane: a header frame (encoded by common/wire) and, with chunks, a body frame.
//
// Thread: the loop thread's, except that a Slice's owner may be let go on any thread.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "common/base/ids.h"
#include "common/runtime/payload.h"

namespace millrace::net {

// One connection of one peer, unique within the process's life; 0 = none. It says nothing about who
// the peer is: that is its key. Never tell it to anybody: libzmq 4.3.4 draws these from a counter
// with a random start, and aborts the process when a peer has named itself as the counter's next
// number.
using RouteId = NumberId<struct RouteTag>;

// A body is sent from where it lies. Without an owner the bytes must outlive the process's sockets.
using millrace::Slice;

enum class SendResult : std::uint8_t {
    sent,         // handed to libzmq; not a proof of delivery
    would_block,  // the peer's queue is full: wait for the lane's `writable`, do not spin
    gone,         // no such connection (any more)
    too_large,    // a frame above the lane's limit: the peer would cut the connection
};

// A received frame, still in libzmq's memory.
class Frame {
public:
    Frame();
    ~Frame();
    Frame(Frame&& other) noexcept;
    Frame& operator=(Frame&& other) noexcept;

    [[nodiscard]] std::span<const std::uint8_t> bytes() const;
    [[nodiscard]] void* message() { return storage_; }  // zmq_msg_t*, for this module's sources

private:
    alignas(void*) mutable std::byte storage_[64];  // a zmq_msg_t; checked in the source
};

struct LaneMessage {
    // Whom to answer; none on a client lane.
    RouteId route;
    // The sender's public key in Z85, proved by CURVE; empty on a client lane. Ends with the
    // handler.
    std::string_view user;
    // Not aligned for Cap'n Proto. Ends with the handler.
    std::span<const std::uint8_t> header;
    // Empty when there was none. May be moved away and kept.
    Frame body;
};

}  // namespace millrace::net
