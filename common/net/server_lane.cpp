#include <cerrno>
#include <unordered_map>

#include <netdb.h>
#include <zmq.h>

#include "common/net/endpoint.h"
#include "common/net/lane.h"
#include "common/net/lane_socket.h"

namespace millrace::net {

namespace {

// What a ROUTER makes up for a peer that names itself nothing: a zero byte and a 32-bit number.
constexpr std::size_t kRouteBytes = 5;
using RouteBytes = std::array<std::uint8_t, kRouteBytes>;

RouteId route_of(std::span<const std::uint8_t> frame) {
    if (frame.size() != kRouteBytes || frame[0] != 0)
        return {};
    RouteId route{1};  // so that no route is "none"
    for (const std::uint8_t byte : frame.subspan(1))
        route.value = route.value << 8 | byte;
    return route;
}

RouteBytes bytes_of(RouteId route) {
    RouteBytes bytes{};
    for (std::size_t i = 1; i < kRouteBytes; ++i)
        bytes[i] = static_cast<std::uint8_t>(route.value >> (8 * (kRouteBytes - 1 - i)));
    return bytes;
}

// libzmq binds to numbers only.
Result<Endpoint> looked_up(Endpoint endpoint) {
    if (!endpoint.is_name())
        return endpoint;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_family = AF_UNSPEC;
    addrinfo* list = nullptr;
    const int problem = ::getaddrinfo(endpoint.host.c_str(), nullptr, &hints, &list);
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> holder(list, &::freeaddrinfo);
    std::array<char, NI_MAXHOST> numeric{};
    if (problem != 0 || ::getnameinfo(list->ai_addr, list->ai_addrlen, numeric.data(),
                                      numeric.size(), nullptr, 0, NI_NUMERICHOST) != 0)
        return error(ErrorKind::bad_input, "cannot find the address of " + endpoint.host);
    endpoint.host = numeric.data();
    return endpoint;
}

constexpr int kServerEvents =
    ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
    ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;

}  // namespace

class ServerLane::Impl : public std::enable_shared_from_this<ServerLane::Impl> {
public:
    Impl(LaneKind kind, Handlers handlers) : kind_(kind), handlers_(std::move(handlers)) {}

    [[nodiscard]] Result<void> bind(Loop& loop, const Context& context, const Endpoint& address,
                                    const KeyPair& own, int listen_fd);
    void close() {
        if (socket_)
            socket_->close(Duration(-1));  // with the linger time of the recipe
    }
    [[nodiscard]] SendResult send(RouteId to, std::span<const std::uint8_t> header,
                                  const Slice& body);

    std::string endpoint;
    Counters counters;

private:
    void on_received(Received& received);
    void on_event(const MonitorEvent& event);
    void remember(int descriptor, RouteId route);

    LaneKind kind_;
    Handlers handlers_;
    std::shared_ptr<LaneSocket> socket_;
    // Which connection a descriptor carries, so that "disconnected" can be told to somebody.
    std::unordered_map<int, RouteId> route_of_descriptor_;
};

Result<void> ServerLane::Impl::bind(Loop& loop, const Context& context, const Endpoint& address,
                                    const KeyPair& own, int listen_fd) {
    Socket socket(context, ZMQ_ROUTER);
    MR_TRY(set_server_options(socket, kind_, own, kLaneDomain));
    MR_TRY(socket.set(ZMQ_IPV6, address.is_ipv6() ? 1 : 0));
    if (listen_fd >= 0)
        MR_TRY(socket.set(ZMQ_USE_FD, listen_fd));
    auto monitor = open_monitor(context, socket, kServerEvents);
    if (!monitor)
        return monitor.error();
    if (zmq_bind(socket.handle(), ("tcp://" + address.text()).c_str()) != 0)
        return error(ErrorKind::bad_input,
                     "cannot listen on " + address.text() + ": " + zmq_strerror(zmq_errno()));
    endpoint = socket.last_endpoint();
    const auto self = weak_from_this();
    LaneSocket::Handlers inner{[self](Received& received) {
                                   if (const auto alive = self.lock())
                                       alive->on_received(received);
                               },
                               [self](const MonitorEvent& event) {
                                   if (const auto alive = self.lock())
                                       alive->on_event(event);
                               },
                               [self] {
                                   if (const auto alive = self.lock();
                                       alive && alive->handlers_.writable)
                                       alive->handlers_.writable();
                               }};
    socket_ = std::make_shared<LaneSocket>(loop, std::move(socket), std::move(*monitor),
                                           std::move(inner));
    socket_->start();
    return {};
}

void ServerLane::Impl::on_received(Received& received) {
    const RouteId route = route_of(received.frames[0].bytes());
    if (!route || received.count < 2 || received.count > 3) {
        ++counters.dropped_malformed;
        return;
    }
    // From the last frame: the first one loses its properties on the way through zmq_poll (#4317).
    auto* last = static_cast<zmq_msg_t*>(received.frames[received.count - 1].message());
    const char* user = zmq_msg_gets(last, "User-Id");
    if (user == nullptr || *user == '\0') {
        ++counters.dropped_no_user;
        return;
    }
    remember(zmq_msg_get(last, ZMQ_SRCFD), route);
    if (!socket_->is_open())
        return;
    ++counters.received;
    const std::string kept_user(user);  // the property ends with its frame, which may be moved away
    LaneMessage message{route, kept_user, received.frames[1].bytes(), {}};
    if (received.count == 3)
        message.body = std::move(received.frames[2]);
    handlers_.message(message);
}

void ServerLane::Impl::remember(int descriptor, RouteId route) {
    if (descriptor < 0)
        return;
    const auto known = route_of_descriptor_.find(descriptor);
    if (known != route_of_descriptor_.end() && known->second == route)
        return;
    // A new connection. The end of the one that had this descriptor before was reported before the
    // descriptor was free again, so it is waiting in the monitor now.
    socket_->drain_events();
    route_of_descriptor_[descriptor] = route;
}

void ServerLane::Impl::on_event(const MonitorEvent& event) {
    switch (event.event) {
        case ZMQ_EVENT_ACCEPT_FAILED:
            ++counters.accept_failed;
            return;
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
            ++counters.refused;
            return;
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            ++counters.handshake_failed;
            return;
        case ZMQ_EVENT_DISCONNECTED:
            break;
        default:
            return;
    }
    ++counters.disconnected;
    const auto known = route_of_descriptor_.find(event.value);
    if (known == route_of_descriptor_.end())
        return;
    const RouteId route = known->second;
    route_of_descriptor_.erase(known);
    if (handlers_.lost)
        handlers_.lost(route);
}

SendResult ServerLane::Impl::send(RouteId to, std::span<const std::uint8_t> header,
                                  const Slice& body) {
    if (header.size() > frame_bytes_max(kind_) || body.bytes.size() > frame_bytes_max(kind_))
        return SendResult::too_large;
    const SendResult result = to ? socket_->send(bytes_of(to), header, body) : SendResult::gone;
    if (result == SendResult::sent)
        ++counters.sent;
    if (result == SendResult::would_block)
        ++counters.would_block;
    if (result == SendResult::gone)
        ++counters.gone;
    return result;
}

ServerLane::ServerLane(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
ServerLane::~ServerLane() {
    impl_->close();
}

Result<std::unique_ptr<ServerLane>> ServerLane::bind(Loop& loop, const Context& context,
                                                     const ZapHandler& /*doorkeeper*/,
                                                     LaneKind kind, std::string_view address,
                                                     const KeyPair& own, Handlers handlers,
                                                     int listen_fd) {
    const auto endpoint = parse_endpoint(address).and_then(looked_up);
    if (!endpoint)
        return endpoint.error();
    auto impl = std::make_shared<Impl>(kind, std::move(handlers));
    MR_TRY(impl->bind(loop, context, *endpoint, own, listen_fd));
    return std::unique_ptr<ServerLane>(new ServerLane(std::move(impl)));
}

const std::string& ServerLane::endpoint() const {
    return impl_->endpoint;
}
SendResult ServerLane::send(RouteId to, std::span<const std::uint8_t> header, Slice body) {
    return impl_->send(to, header, body);
}
const ServerLane::Counters& ServerLane::counters() const {
    return impl_->counters;
}

}  // namespace millrace::net
