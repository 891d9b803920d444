// sim: runs simulated clusters.
//
//   sim --seed N [--minutes M] [--trace]        one run, with its options and its summary
//   sim --seeds A-B [--minutes M]               many; stops at the first violation
//   sim --twice --seeds A-B                     each seed twice: the same trace hash, or it fails
//   sim --canaries --seeds A-B                  each planted bug must be found within the seeds
//   sim --mutation NAME ...                     with this bug planted
//
// Exit: 0 all promises kept (or all canaries found) · 1 not · 64 wrong usage. A violation prints the seed, the
// options and the last 50 events; `sim --seed N --trace` prints all of them.

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/world.h"

namespace {

using namespace millrace;
using namespace millrace::sim;

struct Arguments {
    std::uint64_t first = 1;
    std::uint64_t last = 1;
    double minutes = 5;
    bool trace = false;
    bool twice = false;
    bool canaries = false;
    bool quiet = false;
    Mutation mutation = Mutation::none;
};

// For a core's own MR_CHECK, which aborts: what ran, and what happened last.
const Trace* running_trace = nullptr;
std::uint64_t running_seed = 0;

void on_abort(int) {
    std::printf("seed %llu: aborted; the last events:\n",
                static_cast<unsigned long long>(running_seed));
    if (running_trace != nullptr)
        running_trace->print_last();
    std::fflush(stdout);
    std::_Exit(1);
}

// The trace hash, or nothing after a violation.
std::optional<Summary> run(const Arguments& arguments, std::uint64_t seed) {
    const auto length = Duration(static_cast<std::int64_t>(arguments.minutes * 60e9));
    const Options options = options_for(seed, length, arguments.mutation);
    World world(options, arguments.trace);
    running_trace = &world.trace();
    running_seed = seed;
    try {
        const Summary summary = world.run();
        running_trace = nullptr;
        return summary;
    } catch (const Violation& violation) {
        if (!arguments.quiet) {
            if (!arguments.trace)
                world.trace().print_last();
            std::printf("seed %llu: VIOLATION: %s\n  %s\n", static_cast<unsigned long long>(seed),
                        violation.what(), describe(options).c_str());
        }
        running_trace = nullptr;
        return std::nullopt;
    }
}

void print(const Summary& s, std::uint64_t seed) {
    const Tally& t = s.tally;
    const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
    std::printf(
        "seed %llu: %llu events, %llu faults, %llu starts; segments: %llu accepted, %llu "
        "delivered, "
        "%llu failed, %llu replayed, %llu refused; %llu retries, %llu stale; trace %016llx\n",
        number(seed), number(s.events), number(s.faults), number(t.starts), number(t.accepted),
        number(t.delivered), number(t.failed), number(t.replayed), number(t.refused),
        number(t.retries), number(t.stale), number(s.trace_hash));
}

bool run_all(const Arguments& arguments) {
    const bool one = arguments.first == arguments.last;
    Tally total;
    std::uint64_t events = 0;
    for (std::uint64_t seed = arguments.first; seed <= arguments.last; ++seed) {
        if (one && !arguments.quiet)
            std::printf("%s\n",
                        describe(options_for(seed, seconds(0), arguments.mutation)).c_str());
        const auto summary = run(arguments, seed);
        if (!summary)
            return false;
        if (arguments.twice) {
            const auto again = run(arguments, seed);
            if (!again || again->trace_hash != summary->trace_hash) {
                std::printf("seed %llu: two runs differ\n", static_cast<unsigned long long>(seed));
                return false;
            }
        }
        if (one && !arguments.quiet)
            print(*summary, seed);
        events += summary->events;
        total.accepted += summary->tally.accepted;
        total.delivered += summary->tally.delivered;
        total.failed += summary->tally.failed;
        total.retries += summary->tally.retries;
        total.stale += summary->tally.stale;
    }
    if (!one && !arguments.quiet)
        std::printf(
            "seeds %llu-%llu: no violation; %llu events; segments: %llu accepted, %llu delivered, "
            "%llu failed; %llu retries, %llu stale messages\n",
            static_cast<unsigned long long>(arguments.first),
            static_cast<unsigned long long>(arguments.last),
            static_cast<unsigned long long>(events),
            static_cast<unsigned long long>(total.accepted),
            static_cast<unsigned long long>(total.delivered),
            static_cast<unsigned long long>(total.failed),
            static_cast<unsigned long long>(total.retries),
            static_cast<unsigned long long>(total.stale));
    return true;
}

// In a process of its own, because a core that finds itself inconsistent aborts.
bool canary_found(Arguments arguments, Mutation mutation) {
    arguments.mutation = mutation;
    arguments.quiet = true;
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        std::freopen("/dev/null", "w", stdout);
        std::freopen("/dev/null", "w", stderr);
        std::_Exit(run_all(arguments) ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

bool run_canaries(const Arguments& arguments) {
    bool all = true;
    for (int i = 1; i < kMutationCount; ++i) {
        const auto mutation = static_cast<Mutation>(i);
        const bool found = canary_found(arguments, mutation);
        const auto name = to_string(mutation);
        std::printf("planted bug %.*s: %s\n", static_cast<int>(name.size()), name.data(),
                    found ? "found" : "NOT FOUND");
        all = all && found;
    }
    return all;
}

int usage() {
    std::fprintf(stderr,
                 "sim (--seed N | --seeds A-B) [--minutes M] [--trace] [--twice] [--canaries] "
                 "[--mutation NAME]\n");
    return 64;
}

bool parse(int argc, char** argv, Arguments& arguments) {
    for (int i = 1; i < argc; ++i) {
        const std::string flag = argv[i];
        if (flag == "--trace") {
            arguments.trace = true;
        } else if (flag == "--twice") {
            arguments.twice = true;
        } else if (flag == "--canaries") {
            arguments.canaries = true;
        } else if (i + 1 == argc) {
            return false;
        } else if (flag == "--seed") {
            arguments.first = arguments.last = std::strtoull(argv[++i], nullptr, 10);
        } else if (flag == "--seeds") {
            char* dash = nullptr;
            arguments.first = std::strtoull(argv[++i], &dash, 10);
            if (*dash != '-')
                return false;
            arguments.last = std::strtoull(dash + 1, nullptr, 10);
        } else if (flag == "--minutes") {
            arguments.minutes = std::strtod(argv[++i], nullptr);
        } else if (flag == "--mutation") {
            const std::string_view wanted = argv[++i];
            for (int m = 0; m < kMutationCount; ++m)
                if (to_string(static_cast<Mutation>(m)) == wanted)
                    arguments.mutation = static_cast<Mutation>(m);
            if (arguments.mutation == Mutation::none)
                return false;
        } else {
            return false;
        }
    }
    return arguments.first <= arguments.last;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    if (!parse(argc, argv, arguments))
        return usage();
    std::signal(SIGABRT, on_abort);
    const auto start = std::chrono::steady_clock::now();
    const bool well = arguments.canaries ? run_canaries(arguments) : run_all(arguments);
    std::printf("%.1f s\n",
                std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    return well ? 0 : 1;
}
