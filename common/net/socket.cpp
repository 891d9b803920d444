#include "common/net/socket.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include <zmq.h>

#include "common/base/check.h"
#include "common/net/lane.h"

// In zmq.h only with draft APIs switched on; Debian's library honours it (zeromq-and-failures 0.6).
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

namespace millrace::net {

static_assert(sizeof(zmq_msg_t) == 64 && alignof(zmq_msg_t) == alignof(void*));

namespace {

constexpr int kHandshakeMs = 2000;  // idle and hostile connections are gone after this
constexpr int kHeartbeatMs = 1000;
constexpr int kHeartbeatTimeoutMs = 3000;
constexpr int kTcpMaxRetransmitMs = 4000;
constexpr int kBacklog = 1024;  // connections; a whole farm comes back at once
constexpr int kReconnectMs = 250;
constexpr int kReconnectMaxMs =
    1000;  // transcoders are back within 3 s of the orchestrator's return
constexpr int kServerLingerMs = 1000;  // last answers may still leave after a drain

struct LaneLimits {
    int frame_bytes_max;  // what an unauthenticated peer can make us hold, per connection
    int messages_max;     // queued per peer and direction
};

LaneLimits limits(LaneKind kind) {
    return kind == LaneKind::control ? LaneLimits{128 * 1024, 64} : LaneLimits{320 * 1024, 16};
}

zmq_msg_t* raw(Frame& frame) {
    return static_cast<zmq_msg_t*>(frame.message());
}

// The reference that travels with a frame and is dropped on an I/O thread. The flag orders our
// writes before that thread's: libzmq does so too, by means a thread sanitizer cannot see.
struct Keeper {
    std::shared_ptr<const void> owner;
    std::atomic<bool> handed_over{false};
};

void let_go(void* /*data*/, void* hint) {
    auto* keeper = static_cast<Keeper*>(hint);
    (void)keeper->handed_over.load(std::memory_order_acquire);
    delete keeper;
}

int send_message(void* socket, zmq_msg_t& message, bool more) {
    const int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
    while (zmq_msg_send(&message, socket, flags) < 0) {
        if (errno == EINTR)
            continue;
        const int why = errno;
        zmq_msg_close(&message);
        return why;
    }
    return 0;
}

Result<void> set_common_options(Socket& socket, LaneKind kind, const KeyPair& own) {
    const LaneLimits lane = limits(kind);
    const std::array<std::pair<int, int>, 10> options{{
        {ZMQ_LINGER, 0},
        {ZMQ_MAXMSGSIZE, lane.frame_bytes_max},
        {ZMQ_SNDHWM, lane.messages_max},
        {ZMQ_RCVHWM, lane.messages_max},
        {ZMQ_HANDSHAKE_IVL, kHandshakeMs},
        {ZMQ_HEARTBEAT_IVL, kHeartbeatMs},
        {ZMQ_HEARTBEAT_TIMEOUT, kHeartbeatTimeoutMs},
        {ZMQ_HEARTBEAT_TTL, kHeartbeatTimeoutMs},
        {ZMQ_TCP_MAXRT, kTcpMaxRetransmitMs},
        {ZMQ_BACKLOG, kBacklog},
    }};
    for (const auto& [option, value] : options)
        MR_TRY(socket.set(option, value));
    return socket.set(ZMQ_CURVE_SECRETKEY, own.secret_key.reveal().data(), kKeyBytes);
}

}  // namespace

Error zmq_error(std::string_view what) {
    return error(ErrorKind::internal, std::string(what) + ": " + zmq_strerror(zmq_errno()));
}

// --- Frame -------------------------------------------------------------------------------------

Frame::Frame() {
    zmq_msg_init(raw(*this));
}
Frame::~Frame() {
    zmq_msg_close(raw(*this));
}
Frame::Frame(Frame&& other) noexcept : Frame() {
    zmq_msg_move(raw(*this), raw(other));
}
Frame& Frame::operator=(Frame&& other) noexcept {
    if (this != &other)
        zmq_msg_move(raw(*this), raw(other));
    return *this;
}

std::span<const std::uint8_t> Frame::bytes() const {
    auto* message = reinterpret_cast<zmq_msg_t*>(storage_);
    return {static_cast<const std::uint8_t*>(zmq_msg_data(message)), zmq_msg_size(message)};
}

bool has_more(Frame& frame) {
    return zmq_msg_more(raw(frame)) != 0;
}

// --- Socket ------------------------------------------------------------------------------------

Socket::Socket(const Context& context, int type) : handle_(zmq_socket(context.handle(), type)) {}

void Socket::close() {
    if (handle_ != nullptr)
        zmq_close(std::exchange(handle_, nullptr));
}

Result<void> Socket::set(int option, int value) {
    const auto wide = static_cast<std::int64_t>(value);  // ZMQ_MAXMSGSIZE alone is 64 bits wide
    return option == ZMQ_MAXMSGSIZE ? set(option, &wide, sizeof wide)
                                    : set(option, &value, sizeof value);
}

Result<void> Socket::set(int option, const void* bytes, std::size_t count) {
    if (zmq_setsockopt(handle_, option, bytes, count) != 0)
        return zmq_error("socket option " + std::to_string(option));
    return {};
}

int Socket::fd() const {
    int fd = -1;
    std::size_t size = sizeof fd;
    MR_CHECK(zmq_getsockopt(handle_, ZMQ_FD, &fd, &size) == 0, "an open socket has a descriptor");
    return fd;
}

int Socket::events() const {
    int events = 0;
    std::size_t size = sizeof events;
    while (zmq_getsockopt(handle_, ZMQ_EVENTS, &events, &size) != 0 && errno == EINTR) {
    }
    return events;
}

std::string Socket::last_endpoint() const {
    std::array<char, 256> text{};
    std::size_t size = text.size();
    if (zmq_getsockopt(handle_, ZMQ_LAST_ENDPOINT, text.data(), &size) != 0)
        return {};
    std::string_view endpoint = text.data();
    constexpr std::string_view kScheme = "tcp://";
    if (endpoint.starts_with(kScheme))
        endpoint.remove_prefix(kScheme.size());
    return std::string(endpoint);
}

bool Socket::receive(Frame& frame) const {
    int count = -1;
    do {
        count = zmq_msg_recv(raw(frame), handle_, ZMQ_DONTWAIT);
    } while (count < 0 && errno == EINTR);
    return count >= 0;
}

int Socket::send_copy(std::span<const std::uint8_t> bytes, bool more) const {
    zmq_msg_t message;
    MR_CHECK(zmq_msg_init_size(&message, bytes.size()) == 0, "memory for a frame");
    if (!bytes.empty())
        std::memcpy(zmq_msg_data(&message), bytes.data(), bytes.size());
    return send_message(handle_, message, more);
}

int Socket::send_slice(const Slice& slice, bool more) const {
    zmq_msg_t message;
    auto* keeper = new Keeper{slice.owner};
    // libzmq never writes into a frame that it sends.
    auto* data = const_cast<std::uint8_t*>(slice.bytes.data());
    keeper->handed_over.store(true, std::memory_order_release);
    MR_CHECK(zmq_msg_init_data(&message, data, slice.bytes.size(), let_go, keeper) == 0,
             "memory for a frame");
    return send_message(handle_, message, more);
}

// --- the recipe --------------------------------------------------------------------------------

std::size_t frame_bytes_max(LaneKind kind) {
    // What CURVE adds to a frame (RFC 26: command name, nonce, authenticator, flags) with room to
    // spare.
    constexpr int kCurveBytes = 64;
    return static_cast<std::size_t>(limits(kind).frame_bytes_max - kCurveBytes);
}

Result<void> set_server_options(Socket& socket, LaneKind kind, const KeyPair& own,
                                std::string_view zap_domain) {
    if (!socket.is_open())
        return zmq_error("cannot make a socket");
    MR_TRY(set_common_options(socket, kind, own));
    MR_TRY(socket.set(ZMQ_LINGER, kServerLingerMs));
    MR_TRY(socket.set(ZMQ_CURVE_SERVER, 1));
    MR_TRY(socket.set(ZMQ_ZAP_DOMAIN, zap_domain.data(), zap_domain.size()));
    MR_TRY(socket.set(ZMQ_ZAP_ENFORCE_DOMAIN, 1));
    return socket.set(ZMQ_ROUTER_MANDATORY, 1);
}

Result<void> set_client_options(Socket& socket, LaneKind kind, const PublicKey& server,
                                const KeyPair& own) {
    if (!socket.is_open())
        return zmq_error("cannot make a socket");
    MR_TRY(set_common_options(socket, kind, own));
    MR_TRY(socket.set(ZMQ_IMMEDIATE, 1));
    MR_TRY(socket.set(ZMQ_RECONNECT_IVL, kReconnectMs));
    MR_TRY(socket.set(ZMQ_RECONNECT_IVL_MAX, kReconnectMaxMs));
    MR_TRY(socket.set(ZMQ_CURVE_PUBLICKEY, own.public_key.bytes.data(), kKeyBytes));
    return socket.set(ZMQ_CURVE_SERVERKEY, server.bytes.data(), kKeyBytes);
}

// --- monitor -----------------------------------------------------------------------------------

Result<Socket> open_monitor(const Context& context, Socket& socket, int events) {
    static std::atomic<std::uint64_t> number{0};
    const std::string address = "inproc://millrace.monitor." + std::to_string(++number);
    if (zmq_socket_monitor(socket.handle(), address.c_str(), events) != 0)
        return zmq_error("cannot watch a socket");
    Socket monitor(context, ZMQ_PAIR);
    if (!monitor.is_open())
        return zmq_error("cannot make a socket");
    // No limit on this queue: a full one blocks an I/O thread inside a lock that zmq_close needs.
    // It holds what happens to connections during one turn of the loop.
    MR_TRY(monitor.set(ZMQ_RCVHWM, 0));
    if (zmq_connect(monitor.handle(), address.c_str()) != 0)
        return zmq_error("cannot watch a socket");
    return monitor;
}

bool receive_event(const Socket& monitor, MonitorEvent& event) {
    Frame frame;
    if (!monitor.receive(frame))
        return false;
    std::uint16_t number =
        0;  // frame 1: u16 event, u32 value in the machine's order; frame 2: address
    std::uint32_t value = 0;
    if (frame.bytes().size() == sizeof number + sizeof value) {
        std::memcpy(&number, frame.bytes().data(), sizeof number);
        std::memcpy(&value, frame.bytes().data() + sizeof number, sizeof value);
    }
    while (has_more(frame) && monitor.receive(frame)) {
    }
    event = {number, static_cast<int>(value)};
    return true;
}

}  // namespace millrace::net
