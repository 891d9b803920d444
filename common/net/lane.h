#pragma once
// Lanes: the ROUTER <-> DEALER connections between an orchestrator and its transcoders, on a Loop.
//
// There are two kinds. The control lane carries small messages, the payload lane chunks of at most
// 256 KiB under credit (transfer.h), so that a 20 MB segment delays no heartbeat (measured:
// zeromq-and-failures 0.1, 0.2). Both are CURVE, always. A message is one header frame and at most
// one body frame.
//
// Promises: sends never block; what libzmq queues is bounded in messages per peer; no message from
// a peer crashes or stalls the process; at most kMessagesPerTurn are handled before other work of
// the loop gets its turn. "Sent" is not "delivered": messages die with their connection, and every
// promise above that is made by the conversation (schemas/README.md).
//
// Handlers run on the loop thread, never inside send() or connect(), and may destroy or reconnect
// the lane that calls them.
//
// Thread: the loop's. Owner: orchestrator/link, transcoder/link; the Context and the Loop outlive
// it.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/net/context.h"
#include "common/net/keys.h"
#include "common/net/message.h"
#include "common/net/zap.h"
#include "common/runtime/loop.h"

namespace millrace::net {

enum class LaneKind : std::uint8_t { control, payload };

inline constexpr int kMessagesPerTurn = 64;

// --- the orchestrator's end ----------------------------------------------------------------------

class ServerLane {
public:
    struct Handlers {
        std::function<void(LaneMessage&)> message;
        // A connection is gone. A hint for speed: within milliseconds of a clean death, within 4 s
        // of a silent one; the lease decides.
        std::function<void(RouteId)> lost{};
        // Something may have become sendable since the last would_block.
        std::function<void()> writable{};
    };
    struct Counters {
        std::uint64_t received = 0, sent = 0;
        std::uint64_t would_block = 0;  // with credit in force: a bug worth an alarm
        std::uint64_t gone = 0;
        std::uint64_t dropped_no_user = 0;    // a message without proof of its sender
        std::uint64_t dropped_malformed = 0;  // wrong number of frames, or a made-up routing id
        std::uint64_t accept_failed = 0;      // out of descriptors: not ready for more
        std::uint64_t refused = 0;            // by the ZAP handler
        std::uint64_t handshake_failed = 0;   // not CURVE, or meant for another server key
        std::uint64_t disconnected = 0;
    };

    // `address` is HOST:PORT; port 0 takes a free one, "*" every IPv4 address, "[::]" every
    // address; a name is looked up (blocking). bad_input when it cannot be bound. The doorkeeper is
    // asked for as proof that it stands; it must outlive the lane. `listen_fd`: a listening socket
    // that is bound to `address` already and is owned by the lane from now on; -1 = none.
    [[nodiscard]] static Result<std::unique_ptr<ServerLane>> bind(
        Loop& loop, const Context& context, const ZapHandler& doorkeeper, LaneKind kind,
        std::string_view address, const KeyPair& own, Handlers handlers, int listen_fd = -1);
    ~ServerLane();

    // HOST:PORT as bound, with the real port.
    [[nodiscard]] const std::string& endpoint() const;
    [[nodiscard]] SendResult send(RouteId to, std::span<const std::uint8_t> header,
                                  Slice body = {});
    [[nodiscard]] const Counters& counters() const;

private:
    class Impl;
    explicit ServerLane(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

// --- a transcoder's end --------------------------------------------------------------------------

// What happens to the connection. libzmq reconnects by itself after all of them but `refused`,
// after which the lane rests until connect().
enum class LinkEvent : std::uint8_t {
    connected,  // TCP is there; the handshake follows
    up,         // CURVE and the doorkeeper are satisfied: messages flow
    refused,    // the doorkeeper said a final no to our key
    not_ours,   // the other side cut the handshake: another server key, not ZeroMQ at all, or just
                // dying
    timed_out,  // no answer within the handshake's 2 s: a starting or frozen orchestrator
    unreachable,  // no TCP connection: nobody there, or the name is unknown
    down,         // was up and is no more
};
[[nodiscard]] std::string_view to_string(LinkEvent event);

class ClientLane {
public:
    struct Handlers {
        std::function<void(LaneMessage&)> message;
        std::function<void(LinkEvent)> event{};
        std::function<void()> writable{};
    };
    struct Target {
        std::string
            address;  // HOST:PORT; a name is looked up for each attempt, IPv4 and IPv6 in turn
        PublicKey server;
        KeyPair own;
    };

    ClientLane(Loop& loop, const Context& context, LaneKind kind, Handlers handlers);
    ~ClientLane();

    // Starts anew on a fresh socket and keeps trying, 250 ms to 1 s apart; what was queued on the
    // old one is dropped. bad_input when the address cannot be understood.
    [[nodiscard]] Result<void> connect(Target target);
    // Ends the connection. `linger`: how long what was sent may still take to leave (at most 1 s).
    void disconnect(Duration linger = Duration::zero());
    // Between `up` and whatever ends it.
    [[nodiscard]] bool is_up() const;
    // `gone` while the lane is not up.
    [[nodiscard]] SendResult send(std::span<const std::uint8_t> header, Slice body = {});

private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace millrace::net
