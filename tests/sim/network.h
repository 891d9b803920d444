#pragma once
// The network between transcoders (DEALER) and orchestrators (ROUTER), with what ZeroMQ over TCP can do and
// nothing else:
//
// - per connection and direction messages come in order; a connection that dies takes with it what was
//   still on its way; nothing is lost on a connection that lives;
// - an open socket connects again by itself, with back-off; without a connection a message is not kept
//   (ZMQ_IMMEDIATE), and the other side has no route;
// - a blocked direction (partition, half-open) holds messages, as TCP does; a side that hears nothing for 3
//   to 4 s (ZMTP heartbeats) closes; a paused process hears and says nothing, but what reached its kernel is
//   read when it goes on;
// - a control message may come twice in a row when the scenario says so. ZeroMQ never does that; the fences
//   promise that it would not matter.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "tests/sim/context.h"

namespace millrace::sim {

enum class Lane : std::uint8_t { control, payload };

struct Path {
    unsigned transcoder = 0;
    unsigned orchestrator = 0;
    Lane lane = Lane::control;
    auto operator<=>(const Path&) const = default;
};

struct Frame {
    std::vector<std::uint8_t> head;  // the encoded envelope
    BlobPtr body;                    // of a chunk
    std::uint64_t body_bytes = 0;
};

using ConnectionId = std::uint64_t;

class NetworkHost {
public:
    virtual ~NetworkHost() = default;
    [[nodiscard]] virtual bool transcoder_runs(unsigned transcoder) const = 0;
    [[nodiscard]] virtual bool orchestrator_runs(unsigned orchestrator) const = 0;
    virtual void transcoder_connected(Path path) = 0;
    virtual void transcoder_lost(Path path) = 0;
    virtual void to_transcoder(Path path, const Frame& frame) = 0;
    virtual void to_orchestrator(Path path, ConnectionId connection, const Frame& frame) = 0;
    virtual void orchestrator_closed(Path path, ConnectionId connection) = 0;
};

class Network {
public:
    Network(Context& context, NetworkHost& host) : context_(context), host_(host) {}

    // A transcoder's socket. open() closes what was open.
    void open(Path path);
    void close(Path path);
    bool send(Path path, Frame frame);
    // An orchestrator's answer over the connection the peer spoke on.
    bool reply(ConnectionId connection, Frame frame);

    // Faults.
    void cut(Path path);
    void block(unsigned transcoder, unsigned orchestrator, bool to_orchestrator,
               bool to_transcoder);
    void transcoder_died(unsigned transcoder);
    void orchestrator_died(unsigned orchestrator);
    // Somebody was paused or goes on.
    void runs_changed();

private:
    struct Item {
        TimePoint ready;
        Frame frame;
        bool fin = false;
    };
    struct Pipe {  // one direction; `open` is the receiving end
        bool open = true;
        bool pumping = false;
        TimePoint last_ready;
        std::deque<Item> items;
        std::optional<TimePoint> silent_since;
    };
    struct Connection {
        Path path;
        Pipe to_orchestrator;
        Pipe to_transcoder;
    };
    struct Socket {
        std::uint64_t generation = 0;
        bool open = false;
        ConnectionId connection = 0;
        Duration backoff{0};
    };
    struct Blocked {
        bool to_orchestrator = false;
        bool to_transcoder = false;
    };

    [[nodiscard]] bool blocked(const Connection& c, bool up) const;
    [[nodiscard]] bool silent(const Connection& c, bool up) const;
    static Pipe& pipe(Connection& c, bool up) { return up ? c.to_orchestrator : c.to_transcoder; }
    void connect_later(Path path, Socket& socket);
    void try_connect(Path path, std::uint64_t generation);
    void push(ConnectionId id, bool up, Frame frame, bool fin);
    void pump_later(ConnectionId id, bool up);
    void pump(ConnectionId id, bool up);
    // The end that `up` traffic arrives at (true: the orchestrator's) closes; the other end hears of it.
    void close_end(ConnectionId id, bool up, bool lose_what_was_sent);
    void end_closed(ConnectionId id, bool up, bool tell_host);
    void watch_silence(ConnectionId id);
    void check_silence(ConnectionId id, bool up, TimePoint since);

    Context& context_;
    NetworkHost& host_;
    std::map<Path, Socket> sockets_;
    std::map<ConnectionId, Connection> connections_;
    std::map<std::pair<unsigned, unsigned>, Blocked> blocked_;
    ConnectionId next_ = 1;
};

}  // namespace millrace::sim
