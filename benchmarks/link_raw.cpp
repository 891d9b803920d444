// The reference: bare ROUTER and DEALER sockets with CURVE, one thread for each end of each lane, blocking
// calls, a payload in one frame, nothing encoded, copied or checked. `payloads_at_once` is the limit
// of libzmq's queue.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include <zmq.h>

#include "benchmarks/link.h"
#include "common/base/check.h"

namespace millrace::bench {

namespace {

using Clock = std::chrono::steady_clock;

struct Keys {
    Keys() { MR_CHECK(zmq_curve_keypair(open.data(), secret.data()) == 0, "keys"); }
    std::array<char, 41> open{}, secret{};
};

void set(void* socket, int option, int value) {
    MR_CHECK(zmq_setsockopt(socket, option, &value, sizeof value) == 0, "socket option");
}
void set_key(void* socket, int option, const std::array<char, 41>& key) {
    MR_CHECK(zmq_setsockopt(socket, option, key.data(), key.size() - 1) == 0, "socket key");
}

// One connection, its ends in two contexts, as in two processes.
class Pair {
public:
    Pair(void* server_context, void* client_context, int queue) {
        const Keys server_keys, client_keys;
        server = zmq_socket(server_context, ZMQ_ROUTER);
        client = zmq_socket(client_context, ZMQ_DEALER);
        for (void* socket : {server, client}) {
            set(socket, ZMQ_LINGER, 0);
            set(socket, ZMQ_SNDHWM, queue);
            set(socket, ZMQ_RCVHWM, queue);
        }
        set(server, ZMQ_CURVE_SERVER, 1);
        set(server, ZMQ_ROUTER_MANDATORY, 1);
        set_key(server, ZMQ_CURVE_SECRETKEY, server_keys.secret);
        set_key(client, ZMQ_CURVE_SERVERKEY, server_keys.open);
        set_key(client, ZMQ_CURVE_PUBLICKEY, client_keys.open);
        set_key(client, ZMQ_CURVE_SECRETKEY, client_keys.secret);
        MR_CHECK(zmq_bind(server, "tcp://127.0.0.1:0") == 0, "bind");
        std::array<char, 64> address{};
        std::size_t size = address.size();
        MR_CHECK(zmq_getsockopt(server, ZMQ_LAST_ENDPOINT, address.data(), &size) == 0, "address");
        MR_CHECK(zmq_connect(client, address.data()) == 0, "connect");
        zmq_send(client, "", 0, 0);
        route_size = static_cast<std::size_t>(zmq_recv(server, route.data(), route.size(), 0));
        zmq_recv(server, nullptr, 0, 0);
    }
    ~Pair() {
        zmq_close(server);
        zmq_close(client);
    }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;

    void send_to_client(zmq_msg_t& message) {
        zmq_send(server, route.data(), route_size, ZMQ_SNDMORE);
        MR_CHECK(zmq_msg_send(&message, server, 0) >= 0, "send");
    }

    void* server;
    void* client;
    std::array<char, 16> route{};
    std::size_t route_size = 0;
};

class RawSockets : public Link {
public:
    explicit RawSockets(const Traffic& traffic)
        : traffic_(traffic),
          control_(contexts_[0], contexts_[1], 64),
          payload_(contexts_[0], contexts_[1], std::max(1, traffic.payloads_at_once / 2)),
          bytes_(traffic.payload_bytes) {
        echo_ = std::thread([this] { echo(); });
    }
    ~RawSockets() override {
        zmq_send(control_.client, "", 0, 0);
        echo_.join();
    }

    double send_payloads(double ping_interval, std::vector<double>& round_trips_us) override {
        std::atomic<bool> done{false};
        const auto start = Clock::now();
        std::thread sender([this] { send_all(); });
        std::thread pinger([&] {
            while (ping_interval > 0 && !done) {
                round_trips_us.push_back(ping_once());
                std::this_thread::sleep_for(std::chrono::duration<double>(ping_interval));
            }
        });
        for (int i = 0; i < traffic_.payloads; ++i) {
            zmq_msg_t message;
            zmq_msg_init(&message);
            MR_CHECK(zmq_msg_recv(&message, payload_.client, 0) >= 0, "receive");
            zmq_msg_close(&message);
        }
        const auto end = Clock::now();
        done = true;
        sender.join();
        pinger.join();
        return std::chrono::duration<double>(end - start).count();
    }

    std::vector<double> ping(int count) override {
        std::vector<double> round_trips_us;
        for (int i = 0; i < count; ++i)
            round_trips_us.push_back(ping_once());
        return round_trips_us;
    }

private:
    void send_all() {
        for (int i = 0; i < traffic_.payloads; ++i) {
            zmq_msg_t message;
            zmq_msg_init_data(
                &message, bytes_.data(), bytes_.size(), [](void*, void*) {}, nullptr);
            payload_.send_to_client(message);
        }
    }
    double ping_once() {
        std::vector<char> buffer(traffic_.control_bytes);
        const auto start = Clock::now();
        zmq_send(control_.client, buffer.data(), buffer.size(), 0);
        zmq_recv(control_.client, buffer.data(), buffer.size(), 0);
        return std::chrono::duration<double>(Clock::now() - start).count() * 1e6;
    }
    void echo() {
        while (true) {
            std::array<char, 16> route{};
            zmq_recv(control_.server, route.data(), route.size(), 0);
            zmq_msg_t message;
            zmq_msg_init(&message);
            zmq_msg_recv(&message, control_.server, 0);
            if (zmq_msg_size(&message) == 0)
                return;
            control_.send_to_client(message);
        }
    }

    Traffic traffic_;
    // Never ended: ending a context while another works is a trap of libzmq (see net/context.h).
    std::array<void*, 2> contexts_{zmq_ctx_new(), zmq_ctx_new()};
    Pair control_, payload_;
    std::vector<std::uint8_t> bytes_;
    std::thread echo_;
};

}  // namespace

std::unique_ptr<Link> make_raw_sockets(const Traffic& traffic) {
    return std::make_unique<RawSockets>(traffic);
}

}  // namespace millrace::bench
