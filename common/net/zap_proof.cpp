#include "common/net/zap_proof.h"

#include <array>
#include <chrono>

#include <zmq.h>

#include "common/net/lane.h"
#include "common/net/socket.h"
#include "common/net/zap.h"

namespace millrace::net {

namespace {

using Clock = std::chrono::steady_clock;

Error closed(std::string_view why) {
    return error(ErrorKind::internal,
                 "the ZAP self-test failed, no lane is opened: " + std::string(why));
}

struct ProofServer {
    Socket socket, monitor;
    std::string address;
};

Result<ProofServer> bind_server(const Context& context, const KeyPair& own) {
    ProofServer server{Socket(context, ZMQ_ROUTER), {}, {}};
    MR_TRY(set_server_options(server.socket, LaneKind::control, own, kProofDomain));
    auto monitor = open_monitor(context, server.socket,
                                ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                                    ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                                    ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL);
    if (!monitor)
        return monitor.error();
    server.monitor = std::move(*monitor);
    if (zmq_bind(server.socket.handle(), "tcp://127.0.0.1:0") != 0)
        return zmq_error("cannot bind a loopback socket for the ZAP self-test");
    server.address = "tcp://" + server.socket.last_endpoint();
    return server;
}

Result<Socket> connect_client(const Context& context, const ProofServer& server,
                              const PublicKey& server_key, const KeyPair& own) {
    Socket client(context, ZMQ_DEALER);
    MR_TRY(set_client_options(client, LaneKind::control, server_key, own));
    if (zmq_connect(client.handle(), server.address.c_str()) != 0)
        return zmq_error("cannot connect for the ZAP self-test");
    return client;
}

// The next event the server reports, as ZMQ_EVENT_*; 0 when none came in time.
int next_event(const ProofServer& server, Clock::time_point deadline) {
    MonitorEvent event;
    while (!receive_event(server.monitor, event)) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0)
            return 0;
        zmq_pollitem_t item{server.monitor.handle(), 0, ZMQ_POLLIN, 0};
        zmq_poll(&item, 1, static_cast<long>(left));
    }
    return event.event;
}

// Waits for one whole message and returns the User-Id of its last frame.
std::string next_user(const ProofServer& server, Clock::time_point deadline) {
    Frame frame;
    bool more = true;
    while (more && Clock::now() < deadline) {
        zmq_pollitem_t item{server.socket.handle(), 0, ZMQ_POLLIN, 0};
        zmq_poll(&item, 1, 50);
        if (server.socket.receive(frame))
            more = has_more(frame);
    }
    const char* user = zmq_msg_gets(static_cast<zmq_msg_t*>(frame.message()), "User-Id");
    return more || user == nullptr ? std::string{} : std::string(user);
}

Result<void> prove_refusal(const Context& context, const ProofServer& server,
                           const PublicKey& server_key, Clock::time_point deadline) {
    const auto client = connect_client(context, server, server_key, make_key_pair());
    if (!client)
        return client.error();
    if (next_event(server, deadline) != ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        return closed("a client with an unknown key was not refused");
    return {};
}

Result<void> prove_admission(const Context& context, const ProofServer& server,
                             const PublicKey& server_key, const KeyPair& known,
                             Clock::time_point deadline) {
    const auto client = connect_client(context, server, server_key, known);
    if (!client)
        return client.error();
    if (next_event(server, deadline) != ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
        return closed("a client with a known key was not admitted");
    const std::array<std::uint8_t, 1> greeting{};
    while (client->send_copy(greeting, false) != 0) {  // until its end knows, too
        if (Clock::now() >= deadline)
            return closed("a client with a known key cannot send");
        zmq_pollitem_t item{client->handle(), 0, ZMQ_POLLOUT, 0};
        zmq_poll(&item, 1, 50);
    }
    if (next_user(server, deadline) != known.public_key.z85())
        return closed("a message did not carry its sender's key");
    return {};
}

}  // namespace

Result<void> prove_doorkeeper(const Context& context,
                              const std::function<void(const PublicKey&)>& admit) {
    const auto deadline = Clock::now() + std::chrono::seconds(kSelfTestSeconds);
    const KeyPair own = make_key_pair();
    const KeyPair known = make_key_pair();
    const auto server = bind_server(context, own);
    if (!server)
        return server.error();
    MR_TRY(prove_refusal(context, *server, own.public_key, deadline));
    admit(known.public_key);
    return prove_admission(context, *server, own.public_key, known, deadline);
}

}  // namespace millrace::net
