#pragma once
// What benchmarks/link compares: the same traffic through our lanes and through bare ZeroMQ sockets.
//
// Thread: main's. Owner: main.

#include <cstddef>
#include <memory>
#include <vector>

namespace millrace::bench {

struct Traffic {
    std::size_t payload_bytes = 4'000'000;
    int payloads = 50;         // per repetition
    int payloads_at_once = 4;  // on their way
    std::size_t control_bytes = 192;
};

class Link {
public:
    virtual ~Link() = default;
    // Sends all payloads from the orchestrator's side to the transcoder's; returns seconds until the
    // last one was there. With a ping interval (seconds) round trips on the control lane are measured
    // meanwhile.
    virtual double send_payloads(double ping_interval, std::vector<double>& round_trips_us) = 0;
    // Round trips one after the other on an idle link, in microseconds.
    virtual std::vector<double> ping(int count) = 0;
};

[[nodiscard]] std::unique_ptr<Link> make_our_lanes(const Traffic& traffic);
[[nodiscard]] std::unique_ptr<Link> make_raw_sockets(const Traffic& traffic);

}  // namespace millrace::bench
