// How much of bare ZeroMQ's speed do our lanes keep, and what happens to control messages while payload
// flows?
//
//   bench_link [--bytes N] [--payloads N] [--at-once N] [--repetitions N] [--pings N] [--demand RATIO]
//
// Both run in the same process over loopback TCP with CURVE, their repetitions interleaved. Ours chunks,
// credits, encodes headers, copies into pooled blocks and checks the SHA-256; the reference does none of
// that. Exit 1 when the median ratio of the throughputs is below the demand, 64 for wrong usage.

#include "benchmarks/link.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <thread>

#include <sys/resource.h>
#include <sys/utsname.h>
#include <zmq.h>

#include "common/runtime/sha256.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

struct Options {
    Traffic traffic;
    int repetitions = 15;
    int pings = 500;
    double demand = 0.8;
};

constexpr double kPingInterval = 0.002;  // seconds, while payload flows

// The value that `share` of the sorted values do not exceed.
double quantile(std::vector<double> values, double share) {
    if (values.empty())
        return 0;
    std::sort(values.begin(), values.end());
    const auto last = static_cast<double>(values.size() - 1);
    return values[static_cast<std::size_t>(share * last + 0.5)];
}

bool parse(int argc, char** argv, Options& options) {
    std::map<std::string, double> given;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string text = argv[i + 1];
        double& value = given[argv[i]];
        const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (problem != std::errc{} || end != text.data() + text.size() || value < 0)
            return false;
    }
    if (argc % 2 == 0)
        return false;
    const auto take = [&given](const char* name, auto& target) {
        if (const auto at = given.find(name); at != given.end()) {
            target = static_cast<std::remove_reference_t<decltype(target)>>(at->second);
            given.erase(at);
        }
    };
    take("--bytes", options.traffic.payload_bytes);
    take("--payloads", options.traffic.payloads);
    take("--at-once", options.traffic.payloads_at_once);
    take("--repetitions", options.repetitions);
    take("--pings", options.pings);
    take("--demand", options.demand);
    return given.empty() && options.traffic.payload_bytes > 0 && options.traffic.payloads > 0 &&
           options.traffic.payloads_at_once > 0 && options.repetitions > 0 && options.pings > 0;
}

void print_machine() {
    std::string cpu = "unknown CPU", line;
    std::ifstream facts("/proc/cpuinfo");
    while (std::getline(facts, line))
        if (line.starts_with("model name")) {
            cpu = line.substr(line.find(':') + 2);
            break;
        }
    utsname system{};
    uname(&system);
    int major = 0, minor = 0, patch = 0;
    zmq_version(&major, &minor, &patch);
    std::printf("machine     %s, %u CPUs, %s %s, libzmq %d.%d.%d\n", cpu.c_str(),
                std::thread::hardware_concurrency(), system.sysname, system.release, major, minor,
                patch);
}

// What checking the bytes alone costs, to set against the throughputs.
double sha256_mb_per_s() {
    const std::vector<std::uint8_t> bytes(16'000'000);
    const auto start = std::chrono::steady_clock::now();
    (void)sha256_of(bytes);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    return static_cast<double>(bytes.size()) / 1e6 / took.count();
}

// Of this process, all threads, user and system.
double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Side {
    const char* name;
    std::unique_ptr<Link> link;
    std::vector<double> mb_per_s, cpu_per_gb, idle_us, loaded_us;

    void measure(const Options& options) {
        const auto idle = link->ping(options.pings);
        idle_us.insert(idle_us.end(), idle.begin(), idle.end());
        const double megabytes =
            static_cast<double>(options.traffic.payload_bytes) * options.traffic.payloads / 1e6;
        std::vector<double> none;
        const double cpu_before = cpu_seconds();
        mb_per_s.push_back(megabytes / link->send_payloads(0, none));
        cpu_per_gb.push_back((cpu_seconds() - cpu_before) * 1000 / megabytes);
        (void)link->send_payloads(kPingInterval, loaded_us);
    }
    void print() const {
        std::printf("%s\n", name);
        std::printf(
            "  throughput           p50 %7.1f MB/s (%.1f to %.1f), CPU p50 %.2f s/GB, both ends\n",
            quantile(mb_per_s, 0.5), quantile(mb_per_s, 0), quantile(mb_per_s, 1),
            quantile(cpu_per_gb, 0.5));
        print_round_trips("idle", idle_us);
        print_round_trips("with payload", loaded_us);
    }
    static void print_round_trips(const char* when, const std::vector<double>& us) {
        std::printf("  control, %-12s p50 %7.0f us, p99 %7.0f us, of %zu\n", when,
                    quantile(us, 0.5), quantile(us, 0.99), us.size());
    }
};

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        std::fprintf(stderr,
                     "usage: bench_link [--bytes N] [--payloads N] [--at-once N] "
                     "[--repetitions N] [--pings N] [--demand RATIO]\n");
        return 64;
    }
    const Traffic& traffic = options.traffic;
    std::printf(
        "inputs      %d payloads of %zu bytes, %d at once, %d repetitions, control %zu bytes, "
        "CURVE, loopback\n",
        traffic.payloads, traffic.payload_bytes, traffic.payloads_at_once, options.repetitions,
        traffic.control_bytes);
    print_machine();
    std::printf("sha256      %.0f MB/s alone, on one core\n", sha256_mb_per_s());

    Side ours{"our lanes", make_our_lanes(traffic), {}, {}, {}, {}};
    Side raw{"raw sockets", make_raw_sockets(traffic), {}, {}, {}, {}};
    std::vector<double> unused;
    (void)ours.link->send_payloads(0, unused);  // warm: pools, TCP windows, pages
    (void)raw.link->send_payloads(0, unused);
    std::vector<double> ratios;
    for (int i = 0; i < options.repetitions; ++i) {
        // Who goes first changes, so that neither always finds the other's heat.
        Side* order[] = {i % 2 == 0 ? &ours : &raw, i % 2 == 0 ? &raw : &ours};
        for (Side* side : order)
            side->measure(options);
        ratios.push_back(ours.mb_per_s.back() / raw.mb_per_s.back());
    }
    ours.print();
    raw.print();
    const double ratio = quantile(ratios, 0.5);
    const bool met = ratio >= options.demand;
    std::printf(
        "ratios, ours to raw\n  throughput           p50 %.2f (%.2f to %.2f), best to best %.2f, "
        "demand %.2f: %s\n  CPU                  p50 %.2f\n",
        ratio, quantile(ratios, 0), quantile(ratios, 1),
        quantile(ours.mb_per_s, 1) / quantile(raw.mb_per_s, 1), options.demand,
        met ? "met" : "NOT MET", quantile(ours.cpu_per_gb, 0.5) / quantile(raw.cpu_per_gb, 0.5));
    return met ? 0 : 1;
}
