#include "tests/sim/network.h"

#include <algorithm>
#include <utility>

namespace millrace::sim {

namespace {

constexpr Duration kReconnectMin = milliseconds(250);
constexpr Duration kReconnectMax = seconds(2);
constexpr Duration kHeartbeatTimeout = seconds(3);

}  // namespace

// ---- sockets

void Network::open(Path path) {
    close(path);
    Socket& socket = sockets_[path];
    socket.open = true;
    socket.backoff = kReconnectMin;
    const std::uint64_t generation = ++socket.generation;
    context_.queue.in(context_.network_delay(), [=, this] { try_connect(path, generation); });
}

void Network::close(Path path) {
    Socket& socket = sockets_[path];
    socket.open = false;
    ++socket.generation;
    if (socket.connection != 0) {
        const ConnectionId id = std::exchange(socket.connection, 0);
        close_end(id, false, context_.rng.chance(0.3));
    }
}

void Network::connect_later(Path path, Socket& socket) {
    const std::uint64_t generation = ++socket.generation;
    const Duration wait = context_.between(socket.backoff / 2, socket.backoff);
    socket.backoff = std::min(2 * socket.backoff, kReconnectMax);
    context_.queue.in(wait, [=, this] { try_connect(path, generation); });
}

void Network::try_connect(Path path, std::uint64_t generation) {
    Socket& socket = sockets_[path];
    if (!socket.open || socket.generation != generation)
        return;
    const Blocked& wall = blocked_[{path.transcoder, path.orchestrator}];
    if (wall.to_orchestrator || wall.to_transcoder || !host_.transcoder_runs(path.transcoder) ||
        !host_.orchestrator_runs(path.orchestrator))
        return connect_later(path, socket);
    socket.backoff = kReconnectMin;
    socket.connection = next_++;
    connections_[socket.connection].path = path;
    context_.note('t', path.transcoder, "connected", path.orchestrator,
                  static_cast<std::uint64_t>(path.lane));
    host_.transcoder_connected(path);
}

// ---- messages

bool Network::send(Path path, Frame frame) {
    const Socket& socket = sockets_[path];
    if (!socket.open || socket.connection == 0)
        return false;
    push(socket.connection, true, std::move(frame), false);
    return true;
}

bool Network::reply(ConnectionId connection, Frame frame) {
    const auto found = connections_.find(connection);
    if (found == connections_.end() || !found->second.to_orchestrator.open)
        return false;
    push(connection, false, std::move(frame), false);
    return true;
}

void Network::push(ConnectionId id, bool up, Frame frame, bool fin) {
    Connection& c = connections_.at(id);
    Pipe& p = pipe(c, up);
    const bool twice =
        !fin && c.path.lane == Lane::control && context_.rng.chance(context_.options.duplicate);
    p.last_ready = std::max(p.last_ready, context_.now() + context_.network_delay());
    if (twice)
        p.items.push_back({p.last_ready, frame, false});
    p.items.push_back({p.last_ready, std::move(frame), fin});
    pump_later(id, up);
}

void Network::pump_later(ConnectionId id, bool up) {
    Connection& c = connections_.at(id);
    Pipe& p = pipe(c, up);
    if (p.pumping || p.items.empty() || blocked(c, up))
        return;
    p.pumping = true;
    context_.queue.at(p.items.front().ready, [=, this] { pump(id, up); });
}

void Network::pump(ConnectionId id, bool up) {
    const auto found = connections_.find(id);
    if (found == connections_.end())
        return;
    Pipe& p = pipe(found->second, up);
    p.pumping = false;
    if (blocked(found->second, up) || p.items.empty())
        return;
    const Item item = std::move(p.items.front());
    p.items.pop_front();
    const Path path = found->second.path;
    const bool open = p.open;
    pump_later(id, up);
    if (!open)
        return;
    if (item.fin)
        return end_closed(id, up, true);
    if (up)
        host_.to_orchestrator(path, id, item.frame);
    else
        host_.to_transcoder(path, item.frame);
}

// ---- ends

void Network::close_end(ConnectionId id, bool up, bool lose_what_was_sent) {
    Connection& c = connections_.at(id);
    Pipe& own = pipe(c, up);
    Pipe& other = pipe(c, !up);
    if (!own.open)
        return;
    own.open = false;
    own.items.clear();
    if (other.open) {
        if (lose_what_was_sent)
            other.items.clear();
        push(id, !up, {}, true);
    } else {
        connections_.erase(id);
    }
}

void Network::end_closed(ConnectionId id, bool up, bool tell_host) {
    Connection& c = connections_.at(id);
    const Path path = c.path;
    pipe(c, up).open = false;
    // What this end had sent is lost: nobody reads it any more.
    pipe(c, !up).items.clear();
    if (!pipe(c, !up).open)
        connections_.erase(id);
    else
        push(id, !up, {}, true);
    if (up) {
        if (tell_host)
            host_.orchestrator_closed(path, id);
        return;
    }
    Socket& socket = sockets_[path];
    if (socket.connection != id)
        return;
    socket.connection = 0;
    if (socket.open)
        connect_later(path, socket);
    context_.note('t', path.transcoder, "lost", path.orchestrator,
                  static_cast<std::uint64_t>(path.lane));
    if (tell_host)
        host_.transcoder_lost(path);
}

// ---- faults

void Network::cut(Path path) {
    const ConnectionId id = sockets_[path].connection;
    if (id == 0)
        return;
    Connection& c = connections_.at(id);
    c.to_orchestrator.items.clear();
    c.to_transcoder.items.clear();
    if (c.to_orchestrator.open)
        end_closed(id, true, true);
    if (connections_.contains(id) && connections_.at(id).to_transcoder.open)
        end_closed(id, false, true);
}

void Network::block(unsigned transcoder, unsigned orchestrator, bool to_orchestrator,
                    bool to_transcoder) {
    blocked_[{transcoder, orchestrator}] = {to_orchestrator, to_transcoder};
    std::vector<ConnectionId> ids;
    for (const auto& [id, c] : connections_)
        if (c.path.transcoder == transcoder && c.path.orchestrator == orchestrator)
            ids.push_back(id);
    for (const ConnectionId id : ids) {
        pump_later(id, true);
        pump_later(id, false);
        watch_silence(id);
    }
}

void Network::transcoder_died(unsigned transcoder) {
    for (auto& [path, socket] : sockets_)
        if (path.transcoder == transcoder)
            close(path);
}

void Network::orchestrator_died(unsigned orchestrator) {
    std::vector<ConnectionId> ids;
    for (const auto& [id, c] : connections_)
        if (c.path.orchestrator == orchestrator)
            ids.push_back(id);
    const bool reset = context_.rng.chance(0.5);
    for (const ConnectionId id : ids)
        close_end(id, true, reset);
}

void Network::runs_changed() {
    std::vector<ConnectionId> ids;
    for (const auto& [id, c] : connections_)
        ids.push_back(id);
    for (const ConnectionId id : ids)
        watch_silence(id);
}

// ---- silence

bool Network::blocked(const Connection& c, bool up) const {
    const auto found = blocked_.find({c.path.transcoder, c.path.orchestrator});
    if (found == blocked_.end())
        return false;
    return up ? found->second.to_orchestrator : found->second.to_transcoder;
}

bool Network::silent(const Connection& c, bool up) const {
    return blocked(c, up) || !(up ? host_.transcoder_runs(c.path.transcoder)
                                  : host_.orchestrator_runs(c.path.orchestrator));
}

void Network::watch_silence(ConnectionId id) {
    for (const bool up : {true, false}) {
        Connection& c = connections_.at(id);
        Pipe& p = pipe(c, up);
        if (!silent(c, up)) {
            p.silent_since.reset();
        } else if (!p.silent_since && p.open) {
            const TimePoint since = context_.now();
            p.silent_since = since;
            const Duration wait = kHeartbeatTimeout + context_.between(Duration{0}, seconds(1));
            context_.queue.in(wait, [=, this] { check_silence(id, up, since); });
        }
    }
}

void Network::check_silence(ConnectionId id, bool up, TimePoint since) {
    const auto found = connections_.find(id);
    if (found == connections_.end())
        return;
    const Path path = found->second.path;
    Pipe& p = pipe(found->second, up);
    if (!p.open || p.silent_since != since)
        return;
    const bool listener_runs =
        up ? host_.orchestrator_runs(path.orchestrator) : host_.transcoder_runs(path.transcoder);
    if (!listener_runs) {
        context_.queue.in(milliseconds(500), [=, this] { check_silence(id, up, since); });
        return;
    }
    end_closed(id, up, true);
}

}  // namespace millrace::sim
