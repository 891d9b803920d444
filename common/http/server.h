#pragma once
// One HTTP/1.1 server, plain or TLS, used by the front and by both admin doors.
//
// A few edge threads own all sockets; the handler is called on one of them for each request and
// must not block: it answers through the Exchange, then or later, from any thread. One answer at a
// time per connection; pipelined requests wait in the kernel.
//
// Bounded: header bytes and time, connections, pauses, discarded bytes (Limits). What arrives
// broken is answered 400 as problem+json and the connection is closed.
//
// Thread: start, drain and destruction by the owner; the rest any. Owner: one, usually main.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/http/exchange.h"
#include "common/http/tls_files.h"

namespace millrace::http {

struct Limits {
    std::size_t header_bytes = 16 * 1024;  // request line and fields
    Duration header_time =
        std::chrono::seconds(5);     // from the first byte; for a new connection from accept
    std::size_t connections = 1024;  // beyond: 503 and close
    // Of one client address (IPv6: of one /64); 0 = only bounded by `connections`.
    std::size_t connections_per_address = 0;
    Duration idle = std::chrono::seconds(30);  // between requests
    Duration body_pause =
        std::chrono::seconds(10);  // without a byte, in a body or in reading an answer
    // From the order to its last byte. There is no least rate: a live source may dribble.
    Duration body_time = std::chrono::minutes(10);
    std::uint64_t discard_bytes = 1024 * 1024;  // after an early answer
    Duration discard_time = std::chrono::seconds(2);
};

struct ServerOptions {
    std::string address = "127.0.0.1:0";  // HOST:PORT, "[::1]:80"; port 0 = any
    int listen_fd = -1;    // a listening socket handed over; `address` is ignored then
    unsigned threads = 2;  // edges, at least 1
    Limits limits = {};
    std::optional<TlsFiles> tls = std::nullopt;       // read again when the files change
    std::function<void(std::string)> warn = nullptr;  // a failed reload, as a sentence; edge thread
};

struct ServerCounts {
    std::size_t connections = 0;
    std::size_t exchanges = 0;  // requests not fully answered yet
    std::uint64_t refused_connections = 0;
};

class Server {
public:
    using Handler = std::function<void(const ExchangePtr&)>;

    // bad_input: the address or the TLS files are wrong, or the port is taken; the message says
    // which.
    [[nodiscard]] static Result<std::unique_ptr<Server>> start(ServerOptions options,
                                                               Handler handler);
    // Closes everything at once; bodies being read end with `disconnected`.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // "127.0.0.1:43211", with the port in use.
    [[nodiscard]] const std::string& local_endpoint() const;
    [[nodiscard]] std::uint16_t port() const;

    // Stops accepting and closes idle connections; running exchanges are finished, then closed.
    void begin_drain();
    // True when no connection is left; waits at most `limit`.
    [[nodiscard]] bool wait_drained(Duration limit);

    [[nodiscard]] ServerCounts counts() const;

private:
    struct Impl;
    explicit Server(std::unique_ptr<Impl> impl);

    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::http
