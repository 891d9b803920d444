#pragma once
// What benchmarks/front compares: the same uploads into our front, into our HTTP server alone, and into a
// bare loop around Beast's parser. Each server is a process of its own, so that CPU and memory are its alone;
// the clients are one too.
//
// Thread: main's. Owner: main.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace millrace::bench {

struct Traffic {
    std::size_t body_bytes = 4'000'000;    // of an upload
    std::size_t answer_bytes = 2'000'000;  // of its answer's body: what two renditions come to
    int uploads = 100;                     // per repetition, over all connections
    int connections = 4;
};

struct Tls {
    std::string certificate, key;  // files; empty = plain
};

// A server of this process, on a free loopback port, with one thread for its connections.
class Door {
public:
    virtual ~Door() = default;
    [[nodiscard]] virtual std::uint16_t port() const = 0;
};

// Reads heads with Beast's parser and bodies into one reused buffer, which it forgets; `hash`: also takes their
// SHA-256, as the front has to.
[[nodiscard]] std::unique_ptr<Door> make_beast_loop(const Traffic& traffic, const Tls& tls,
                                                    bool hash);
// common/http alone: bodies into pooled payloads, answers from shared ones.
[[nodiscard]] std::unique_ptr<Door> make_our_server(const Traffic& traffic, const Tls& tls);
// orchestrator/front on top: names, sniffing, SHA-256, multipart answers; the loop behind it is a fake.
[[nodiscard]] std::unique_ptr<Door> make_our_front(const Traffic& traffic, const Tls& tls);

// The client's process: uploads over keep-alive connections until all are answered. Exit code.
int run_uploads(std::uint16_t port, bool tls, const Traffic& traffic);
// Opens `count` connections, each idle or in the middle of an upload's first 64 KiB, says so on stdout and
// holds them until stdin ends. Exit code.
int hold_connections(std::uint16_t port, bool tls, int count, bool active);

}  // namespace millrace::bench
