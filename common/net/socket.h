#pragma once
// Internal to common/net: a zmq socket under RAII, and the one place that knows the lanes' socket
// options (evidence for each: zeromq-and-failures section 2).
//
// Thread: one at a time. Owner: lanes and the ZAP self-test.

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/net/context.h"
#include "common/net/keys.h"
#include "common/net/message.h"

namespace millrace::net {

enum class LaneKind : std::uint8_t;

[[nodiscard]] Error zmq_error(std::string_view what);

class Socket {
public:
    Socket() = default;
    Socket(const Context& context, int type);
    ~Socket() { close(); }
    Socket(Socket&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Socket& operator=(Socket&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }

    void close();
    [[nodiscard]] bool is_open() const { return handle_ != nullptr; }
    [[nodiscard]] void* handle() const { return handle_; }

    [[nodiscard]] Result<void> set(int option, int value);
    [[nodiscard]] Result<void> set(int option, const void* bytes, std::size_t count);
    [[nodiscard]] int fd() const;
    // ZMQ_POLLIN | ZMQ_POLLOUT now, after libzmq looked at everything its I/O threads have sent it.
    [[nodiscard]] int events() const;
    [[nodiscard]] std::string last_endpoint() const;  // without "tcp://"

    // False when nothing is there.
    [[nodiscard]] bool receive(Frame& frame) const;
    // zmq_errno of a failed send, 0 when sent. DONTWAIT always: a blocking send to a ROUTER peer
    // that died at its limit never returns (libzmq #4665).
    [[nodiscard]] int send_copy(std::span<const std::uint8_t> bytes, bool more) const;
    [[nodiscard]] int send_slice(const Slice& slice, bool more) const;

private:
    void* handle_ = nullptr;
};

[[nodiscard]] bool has_more(Frame& frame);

inline constexpr std::string_view kLaneDomain = "millrace";

// Everything but the address. `linger`: how long unsent messages may outlive the socket.
[[nodiscard]] Result<void> set_server_options(Socket& socket, LaneKind kind, const KeyPair& own,
                                              std::string_view zap_domain);
[[nodiscard]] Result<void> set_client_options(Socket& socket, LaneKind kind,
                                              const PublicKey& server, const KeyPair& own);
[[nodiscard]] std::size_t frame_bytes_max(LaneKind kind);

// Starts reporting the socket's connection events and returns where they can be read.
[[nodiscard]] Result<Socket> open_monitor(const Context& context, Socket& socket, int events);
struct MonitorEvent {
    int event = 0;  // ZMQ_EVENT_*
    int value = 0;  // descriptor, errno or status, as zmq_socket_monitor(3) says
};
// False when nothing is there.
[[nodiscard]] bool receive_event(const Socket& monitor, MonitorEvent& event);

}  // namespace millrace::net
