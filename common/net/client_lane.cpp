#include <zmq.h>

#include "common/net/endpoint.h"
#include "common/net/lane.h"
#include "common/net/lane_socket.h"
#include "common/net/link_tracker.h"

namespace millrace::net {

namespace {

// libzmq gives some broken sockets up for good (after bytes that are not ZMTP, for one).
constexpr Duration kReviveAfter = std::chrono::seconds(1);

constexpr int kClientEvents =
    ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED |
    ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
    ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;

}  // namespace

class ClientLane::Impl : public std::enable_shared_from_this<ClientLane::Impl> {
public:
    Impl(Loop& loop, const Context& context, LaneKind kind, Handlers handlers)
        : loop_(loop),
          context_(context),
          kind_(kind),
          handlers_(std::move(handlers)),
          revive_(loop) {}

    [[nodiscard]] Result<void> connect(Target target);
    void disconnect(Duration linger);
    [[nodiscard]] bool is_up() const { return socket_ && tracker_.is_up(); }
    [[nodiscard]] SendResult send(std::span<const std::uint8_t> header, const Slice& body);

private:
    [[nodiscard]] Result<void> open();
    void open_or_retry();
    void on_received(Received& received);
    void on_event(const MonitorEvent& event);
    void keep_trying(bool unreachable);
    // Wraps a member so that it is called only while this object and this socket are in use.
    template <class... Args>
    auto guarded(void (Impl::*member)(Args...)) {
        return [self = weak_from_this(), mine = generation_, member](Args... args) {
            const auto alive = self.lock();
            if (alive && alive->generation_ == mine)
                ((*alive).*member)(args...);
        };
    }
    void on_writable() {
        if (handlers_.writable)
            handlers_.writable();
    }

    Loop& loop_;
    const Context& context_;
    LaneKind kind_;
    Handlers handlers_;
    Target target_;
    Endpoint endpoint_;
    std::shared_ptr<LaneSocket> socket_;
    LinkTracker tracker_;
    Timer revive_;
    std::uint64_t generation_ = 0;  // one per socket
    int misses_ = 0;                // unreachable in a row
    bool ipv6_ = false;
};

Result<void> ClientLane::Impl::connect(Target target) {
    auto endpoint = parse_endpoint(target.address);
    if (!endpoint)
        return endpoint.error();
    if (endpoint->port == 0 || endpoint->host == "*")
        return error(ErrorKind::bad_input, "\"" + target.address + "\" names nobody to connect to");
    target_ = std::move(target);
    endpoint_ = std::move(*endpoint);
    ipv6_ = endpoint_.is_ipv6();
    misses_ = 0;
    return open();
}

void ClientLane::Impl::disconnect(Duration linger) {
    ++generation_;
    revive_.cancel();
    tracker_ = {};
    if (socket_)
        socket_->close(linger);
    socket_.reset();
}

Result<void> ClientLane::Impl::open() {
    disconnect(Duration::zero());
    Socket socket(context_, ZMQ_DEALER);
    MR_TRY(set_client_options(socket, kind_, target_.server, target_.own));
    MR_TRY(socket.set(ZMQ_IPV6, ipv6_ ? 1 : 0));
    auto monitor = open_monitor(context_, socket, kClientEvents);
    if (!monitor)
        return monitor.error();
    if (zmq_connect(socket.handle(), ("tcp://" + endpoint_.text()).c_str()) != 0)
        return zmq_error("cannot connect to " + endpoint_.text());
    LaneSocket::Handlers inner{guarded(&Impl::on_received), guarded(&Impl::on_event),
                               guarded(&Impl::on_writable)};
    socket_ = std::make_shared<LaneSocket>(loop_, std::move(socket), std::move(*monitor),
                                           std::move(inner));
    socket_->start();
    return {};
}

// Out of descriptors, say: that may pass.
void ClientLane::Impl::open_or_retry() {
    if (!open())
        revive_.set(loop_.now() + kReviveAfter, guarded(&Impl::open_or_retry));
}

void ClientLane::Impl::on_received(Received& received) {
    if (received.count > 2)
        return;  // an orchestrator sends no such thing; nothing to answer
    LaneMessage message{{}, {}, received.frames[0].bytes(), {}};
    if (received.count == 2)
        message.body = std::move(received.frames[1]);
    handlers_.message(message);
}

void ClientLane::Impl::on_event(const MonitorEvent& event) {
    const std::uint64_t mine = generation_;
    bool unreachable = false;
    for (const LinkEvent seen : tracker_.on_monitor(loop_.now(), event.event, event.value)) {
        unreachable = unreachable || seen == LinkEvent::unreachable;
        if (handlers_.event)
            handlers_.event(seen);
        if (generation_ != mine)
            return;  // the handler reconnected or ended this lane
    }
    keep_trying(unreachable);
}

void ClientLane::Impl::keep_trying(bool unreachable) {
    if (tracker_.stranded() && !tracker_.refused())
        revive_.set(loop_.now() + kReviveAfter, guarded(&Impl::open_or_retry));
    else
        revive_.cancel();
    misses_ = unreachable ? misses_ + 1 : 0;
    // libzmq looks a name up in one family and takes the first address it gets.
    constexpr int kMissesPerFamily = 2;
    if (misses_ == kMissesPerFamily && endpoint_.is_name()) {
        ipv6_ = !ipv6_;
        misses_ = 0;
        open_or_retry();
    }
}

SendResult ClientLane::Impl::send(std::span<const std::uint8_t> header, const Slice& body) {
    if (header.size() > frame_bytes_max(kind_) || body.bytes.size() > frame_bytes_max(kind_))
        return SendResult::too_large;
    return is_up() ? socket_->send({}, header, body) : SendResult::gone;
}

ClientLane::ClientLane(Loop& loop, const Context& context, LaneKind kind, Handlers handlers)
    : impl_(std::make_shared<Impl>(loop, context, kind, std::move(handlers))) {}
ClientLane::~ClientLane() {
    impl_->disconnect(Duration::zero());
}

Result<void> ClientLane::connect(Target target) {
    return impl_->connect(std::move(target));
}
void ClientLane::disconnect(Duration linger) {
    impl_->disconnect(linger);
}
bool ClientLane::is_up() const {
    return impl_->is_up();
}
SendResult ClientLane::send(std::span<const std::uint8_t> header, Slice body) {
    return impl_->send(header, body);
}

}  // namespace millrace::net
