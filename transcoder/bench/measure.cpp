#include "transcoder/bench/measure.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <fstream>

#include "transcoder/bench/search.h"

namespace millrace::bench {
namespace {

// The CPU is the limit when we use that much of what we may, or the machine has no more than that left.
constexpr double kBusy = 0.7;
constexpr double kIdleMin = 0.2;
// Sessions' rates are rounded, and a stream's frames are not spread evenly over its seconds.
constexpr double kRounding = 1.02;
constexpr double kMemoryShare = 0.8;

std::uint32_t guess(const Lone& lone, double cores) {
    const double cpu =
        to_seconds(lone.cpu) / to_seconds(lone.duration);  // cores that a session takes
    const double fit = cores * kP95Max / std::max(cpu, 1e-3);
    return static_cast<std::uint32_t>(std::clamp(fit, 1.0, static_cast<double>(kSlotsMax)));
}

Bound bound_of(const Finding& finding, const Search& search, bool memory_is_least) {
    if (search.at_max())
        return memory_is_least ? Bound::memory : Bound::limit;
    // The step that failed tells what was short.
    for (auto step = finding.steps.rbegin(); step != finding.steps.rend(); ++step)
        if (step->sessions > finding.sessions) {
            const bool used_up = step->cpu_share >= kBusy || step->idle_share <= kIdleMin;
            return used_up ? Bound::cpu : Bound::one_thread;
        }
    return Bound::cpu;
}

}  // namespace

std::string_view to_string(Bound bound) {
    switch (bound) {
        case Bound::cpu:
            return "cpu";
        case Bound::one_thread:
            return "one_thread";
        case Bound::memory:
            return "memory";
        case Bound::limit:
            return "limit";
    }
    return "";
}

Capacity Finding::capacity() const {
    const double video = to_seconds(lone.duration);
    const auto price = [video](std::int64_t us, std::int64_t pixels) {
        constexpr double kPsPerUs = 1e6;
        const double all = static_cast<double>(pixels) * video;
        return all > 0 ? std::llround(static_cast<double>(us) * kPsPerUs / all) : 0;
    };
    Capacity capacity;
    CpuBudget& cpu = capacity.cpu;
    cpu.decode = price(lone.times.decode_us, lone.cost.decode_pixels);
    cpu.scale = price(lone.times.scale_us, lone.cost.scale_pixels);
    // Some codecs work in threads of their own, which their calls do not show: what is not decoding or scaling.
    const std::int64_t rest =
        std::chrono::duration_cast<std::chrono::microseconds>(lone.cpu).count() -
        lone.times.decode_us - lone.times.scale_us;
    cpu.encode = price(std::max(rest, lone.times.encode_us), lone.cost.encode_work);
    cpu.available = static_cast<std::int64_t>(
        std::ceil(static_cast<double>(cpu_of(lone.cost, cpu)) * sessions * kRounding));
    return capacity;
}

const Step* Finding::best() const {
    for (auto step = steps.rbegin(); step != steps.rend(); ++step)
        if (step->sessions == sessions)
            return &*step;
    return nullptr;
}

Result<Finding> measure(Clip clip, MeasureOptions options, Watcher& watcher) {
    Loop loop;
    Course course(loop, std::move(clip), options.course);
    loop.on_signal({SIGINT, SIGTERM}, [&course](int) { course.stop(); });
    Finding finding;
    auto lone = course.lone();
    if (!lone)
        return lone.error();
    finding.lone = *lone;
    watcher.measured_alone(finding.lone);

    std::uint32_t most = options.sessions_max;
    if (options.memory > 0 && lone->memory > 0)
        most = static_cast<std::uint32_t>(
            std::clamp<std::uint64_t>(options.memory / lone->memory, 1, most));
    Search search(guess(finding.lone, options.course.cores), most);
    while (const auto sessions = search.next()) {
        auto step = course.run(
            *sessions, options.rounds,
            [&](std::uint32_t done, std::uint32_t of) { watcher.running(*sessions, done, of); });
        if (!step)
            return step.error();
        const Verdict verdict = judge(*step);
        finding.steps.push_back(std::move(*step));
        watcher.step_done(finding.steps.back(), verdict);
        search.told(verdict.holds);
    }
    finding.sessions = search.best();
    finding.bound = bound_of(finding, search, most < options.sessions_max);
    return finding;
}

std::uint64_t memory_for_engines() {
    std::uint64_t available = 0;
    std::ifstream info("/proc/meminfo");
    for (std::string line; std::getline(info, line);)
        if (line.starts_with("MemAvailable:"))
            available = std::stoull(line.substr(13)) * 1024;
    // Version 2 of control groups, as seen from inside a container.
    std::ifstream limit("/sys/fs/cgroup/memory.max");
    std::ifstream used("/sys/fs/cgroup/memory.current");
    std::uint64_t most = 0;
    std::uint64_t now = 0;
    if (limit >> most && used >> now)
        available = std::min(available, most > now ? most - now : 0);
    return static_cast<std::uint64_t>(static_cast<double>(available) * kMemoryShare);
}

}  // namespace millrace::bench
