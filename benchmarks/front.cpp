// What does an upload cost in our front, beside a bare loop around Beast's parser?
//
//   bench_front [--bytes N] [--answer N] [--uploads N] [--connections N] [--repetitions N] [--held N] [--demand RATIO]
//
// Every server is a process of its own with one thread for its connections, the clients are another; their
// repetitions are interleaved, plain and TLS. CPU is that of the server's process, per GB received and sent;
// memory is what it grows by for each connection held. The demand is on our server beside the loop; the whole
// front is set beside the loop with SHA-256, which it cannot do without. Exit 1 when a median ratio is above the
// demand, 64 for wrong usage.

#include "benchmarks/front.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/runtime/process_usage.h"

using namespace millrace::bench;

extern char** environ;

namespace {

using Words = std::vector<std::string>;

struct Options {
    Traffic traffic;
    int repetitions = 11;
    int held = 400;  // connections
    double demand = 1.3;
};

bool parse(const Words& words, Options& options) {
    std::map<std::string, double> given;
    for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
        const std::string& text = words[i + 1];
        double& value = given[words[i]];
        const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (problem != std::errc{} || end != text.data() + text.size() || value < 1)
            return false;
    }
    const auto take = [&given](const char* name, auto& target) {
        if (const auto at = given.find(name); at != given.end()) {
            target = static_cast<std::remove_reference_t<decltype(target)>>(at->second);
            given.erase(at);
        }
    };
    take("--bytes", options.traffic.body_bytes);
    take("--answer", options.traffic.answer_bytes);
    take("--uploads", options.traffic.uploads);
    take("--connections", options.traffic.connections);
    take("--repetitions", options.repetitions);
    take("--held", options.held);
    take("--demand", options.demand);
    return given.empty() && words.size() % 2 == 0;
}

double quantile(std::vector<double> values, double share) {
    std::sort(values.begin(), values.end());
    const auto last = static_cast<double>(values.size() - 1);
    return values[static_cast<std::size_t>(share * last + 0.5)];
}

// This program again, in another role; its stdin and stdout are ours.
class Child {
public:
    explicit Child(Words words) {
        int in[2], out[2];
        if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0)
            std::exit(1);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, in[0], 0);
        posix_spawn_file_actions_adddup2(&actions, out[1], 1);
        words.insert(words.begin(), "bench_front");
        std::vector<char*> argv;
        for (std::string& word : words)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        if (::posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, argv.data(), environ) != 0)
            std::exit(1);
        posix_spawn_file_actions_destroy(&actions);
        ::close(in[0]);
        ::close(out[1]);
        to_ = in[1];
        from_ = ::fdopen(out[0], "r");
    }
    ~Child() {
        ::close(to_);
        wait();
        std::fclose(from_);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    std::string line() {
        char text[64] = {};
        return std::fgets(text, sizeof text, from_) == nullptr ? std::string() : text;
    }
    int wait() {
        int status = 0;
        if (pid_ > 0 && ::waitpid(pid_, &status, 0) == pid_)
            pid_ = 0;
        return status;
    }
    // Of all its threads, user and system.
    [[nodiscard]] double cpu_seconds() const { return to_seconds(cpu_time_of(pid_)); }
    [[nodiscard]] double resident_kib() const {
        std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
        double pages = 0, resident = 0;
        file >> pages >> resident;
        return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1024;
    }

private:
    pid_t pid_ = 0;
    int to_ = -1;
    std::FILE* from_ = nullptr;
};

Words words_of(const Traffic& traffic) {
    return {std::to_string(traffic.body_bytes), std::to_string(traffic.answer_bytes),
            std::to_string(traffic.uploads), std::to_string(traffic.connections)};
}

struct Side {
    std::string kind;
    Tls tls;
    Options options;
    std::vector<double> ms_per_gb = {}, mb_per_s = {};
    double idle_kib = 0, active_kib = 0;
    std::unique_ptr<Child> server = {};
    std::string port = {};

    void start() {
        Words words{"--serve", kind, tls.certificate, tls.key};
        for (std::string& word : words_of(options.traffic))
            words.push_back(std::move(word));
        server = std::make_unique<Child>(std::move(words));
        port = server->line();
        port = port.substr(0, port.find('\n'));
        if (port.empty())
            std::exit(1);
    }

    void upload(bool count) {
        const double gigabytes =
            static_cast<double>(options.traffic.body_bytes + options.traffic.answer_bytes) *
            options.traffic.uploads / 1e9;
        const double cpu = server->cpu_seconds();
        const auto begun = std::chrono::steady_clock::now();
        Words words{"--upload", port, tls.certificate.empty() ? "0" : "1"};
        for (std::string& word : words_of(options.traffic))
            words.push_back(std::move(word));
        if (Child client(std::move(words)); client.wait() != 0)
            std::exit(1);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
        if (!count)
            return;
        ms_per_gb.push_back((server->cpu_seconds() - cpu) * 1000 / gigabytes);
        mb_per_s.push_back(gigabytes * 1000 / took.count());
    }

    // KiB of the server for each connection held.
    double held(bool active) {
        const double before = server->resident_kib();
        Child client({"--hold", port, tls.certificate.empty() ? "0" : "1",
                      std::to_string(options.held), active ? "1" : "0"});
        if (client.line() != "held\n")
            std::exit(1);
        // What was sent last may still be on its way: wait until the server does not grow any more.
        double most = before;
        for (double last = -1; most > last;) {
            last = most;
            std::this_thread::sleep_for(std::chrono::milliseconds(300));
            most = std::max(most, server->resident_kib());
        }
        return (most - before) / options.held;
    }

    void measure_memory() {
        start();  // a fresh process: nothing it could use again
        idle_kib = held(false);
        start();
        active_kib = held(true);
    }

    void print() const {
        std::printf(
            "  %-12s CPU p50 %6.0f ms/GB, p99 %6.0f; %6.0f MB/s; memory %5.1f KiB idle, "
            "%6.1f KiB in an upload\n",
            kind.c_str(), quantile(ms_per_gb, 0.5), quantile(ms_per_gb, 0.99),
            quantile(mb_per_s, 0.5), idle_kib, active_kib);
    }
};

double ratio(const Side& ours, const Side& reference, const char* what) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < ours.ms_per_gb.size(); ++i)
        ratios.push_back(ours.ms_per_gb[i] / reference.ms_per_gb[i]);
    const double median = quantile(ratios, 0.5);
    std::printf("  %-28s p50 %.2f (%.2f to %.2f)\n", what, median, quantile(ratios, 0),
                quantile(ratios, 1));
    return median;
}

double compare(const char* name, const Tls& tls, const Options& options) {
    std::vector<Side> sides;
    for (const char* kind : {"beast", "server", "beast+sha256", "front"})
        sides.push_back(Side{kind, tls, options});
    for (Side& side : sides)
        side.measure_memory();
    for (Side& side : sides) {
        side.start();
        side.upload(false);  // warm: pools, TCP windows, pages
    }
    for (int i = 0; i < options.repetitions; ++i)
        for (std::size_t k = 0; k < sides.size(); ++k)
            // Who goes first changes, so that nobody always finds another's heat.
            sides[(k + static_cast<std::size_t>(i)) % sides.size()].upload(true);
    std::printf("%s\n", name);
    for (const Side& side : sides)
        side.print();
    const double server = ratio(sides[1], sides[0], "server to beast");
    (void)ratio(sides[3], sides[2], "front to beast+sha256");
    return server;
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
    std::printf("machine     %s, %u CPUs, %s %s\n", cpu.c_str(),
                std::thread::hardware_concurrency(), system.sysname, system.release);
}

int compare_all(const Options& options) {
    char directory[] = "/tmp/bench_front.XXXXXX";
    if (::mkdtemp(directory) == nullptr)
        return 1;
    const Tls tls{std::string(directory) + "/cert.pem", std::string(directory) + "/key.pem"};
    const std::string make =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
        "-nodes -days 2 -subj /CN=localhost -keyout " +
        tls.key + " -out " + tls.certificate + " 2>/dev/null";
    if (std::system(make.c_str()) != 0)
        return 1;
    const double plain_ratio = compare("plain", {}, options);
    const double tls_ratio = compare("TLS", tls, options);
    std::filesystem::remove_all(directory);
    const bool met = plain_ratio <= options.demand && tls_ratio <= options.demand;
    std::printf("ratios of CPU, our server to the loop: plain %.2f, TLS %.2f, demand %.2f: %s\n",
                plain_ratio, tls_ratio, options.demand, met ? "met" : "NOT MET");
    return met ? 0 : 1;
}

Traffic traffic_of(const Words& words, std::size_t at) {
    return {std::stoul(words[at]), std::stoul(words[at + 1]), std::stoi(words[at + 2]),
            std::stoi(words[at + 3])};
}

int serve(const Words& words) {
    const Tls tls{words[2], words[3]};
    const Traffic traffic = traffic_of(words, 4);
    const auto door = words[1] == "server"  ? make_our_server(traffic, tls)
                      : words[1] == "front" ? make_our_front(traffic, tls)
                                            : make_beast_loop(traffic, tls, words[1] != "beast");
    std::printf("%u\n", door->port());
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
    return 0;
}

std::uint16_t port_of(const std::string& word) {
    return static_cast<std::uint16_t>(std::stoi(word));
}

}  // namespace

int main(int argc, char** argv) {
    const Words words(argv + 1, argv + argc);
    std::signal(SIGPIPE, SIG_IGN);
    rlimit files{};  // a held connection is a descriptor on both sides
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    if (words.size() == 8 && words[0] == "--serve")
        return serve(words);
    if (words.size() == 7 && words[0] == "--upload")
        return run_uploads(port_of(words[1]), words[2] == "1", traffic_of(words, 3));
    if (words.size() == 5 && words[0] == "--hold")
        return hold_connections(port_of(words[1]), words[2] == "1", std::stoi(words[3]),
                                words[4] == "1");
    Options options;
    if (!parse(words, options)) {
        std::fprintf(stderr,
                     "usage: bench_front [--bytes N] [--answer N] [--uploads N] "
                     "[--connections N] [--repetitions N] [--held N] [--demand RATIO]\n");
        return 64;
    }
    std::printf(
        "inputs      %d uploads of %zu bytes over %d connections, answers of %zu bytes, "
        "%d repetitions, %d connections held, loopback\n",
        options.traffic.uploads, options.traffic.body_bytes, options.traffic.connections,
        options.traffic.answer_bytes, options.repetitions, options.held);
    print_machine();
    return compare_all(options);
}
