#include "transcoder/bench/measure.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <fstream>

#include "transcoder/bench/search.h"
#include "transcoder/gpu/gpu_watch.h"

namespace millrace::bench {
namespace {

// Sessions' rates are rounded, and a stream's frames are not spread evenly over its seconds.
constexpr double kRounding = 1.02;
constexpr double kMemoryShare = 0.8;

std::uint32_t guess(const Lone& lone, double cores) {
    const double cpu =
        to_seconds(lone.cpu) / to_seconds(lone.duration);  // cores that a session takes
    double fit = cores * kP95Max / std::max(cpu, 1e-3);
    // As busy as the one session made its GPU's decoder, in its own time and not in real time.
    const double speed = to_seconds(lone.duration) / std::max(to_seconds(lone.wall), 1e-3);
    for (const GpuLoad& load : lone.gpus)
        if (load.sessions > 0 && load.decoder.value_or(0) > 0)
            fit = std::min(fit,
                           kUsedUp * speed / *load.decoder * static_cast<double>(lone.gpus.size()));
    return static_cast<std::uint32_t>(std::clamp(fit, 1.0, static_cast<double>(kSlotsMax)));
}

Binding bound_of(const Finding& finding, const Search& search, Bound of_ceiling) {
    if (search.at_max())
        return {of_ceiling, {}, 0};
    // The step that failed tells what was short.
    for (auto step = finding.steps.rbegin(); step != finding.steps.rend(); ++step)
        if (step->sessions > finding.sessions)
            return what_was_short(*step);
    return {};
}

// What the driver tells while sessions have GPUs; else nothing, and nobody is asked.
std::optional<gpu::Watch> watch_over(const gpu::Stock& gpus) {
    return gpus.empty()
               ? std::nullopt
               : std::optional<gpu::Watch>(std::in_place, gpu::Nvml::open(), Course::kReadEvery);
}

}  // namespace

double Finding::crowding() const {
    Duration cpu{0};
    Duration video{0};
    if (const Step* step = best())
        for (const Served& one : all_served(*step)) {
            cpu += one.cpu;
            video += one.duration;
        }
    const double alone = to_seconds(lone.cpu) / std::max(to_seconds(lone.duration), 1e-3);
    const double full = to_seconds(cpu) / std::max(to_seconds(video), 1e-3);
    return alone > 0 && full > 0 ? full / alone : 1;
}

Capacity Finding::capacity() const {
    const double video = to_seconds(lone.duration);
    const auto price = [video, full = crowding()](std::int64_t us, std::int64_t pixels) {
        constexpr double kPsPerUs = 1e6;
        const double all = static_cast<double>(pixels) * video;
        return all > 0 ? std::llround(static_cast<double>(us) * full * kPsPerUs / all) : 0;
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
    const std::optional<gpu::Watch> watch = watch_over(options.course.gpus);
    Course course(loop, std::move(clip), options.course,
                  [&watch] { return watch ? watch->latest() : std::vector<gpu::Reading>(); });
    loop.on_signal({SIGINT, SIGTERM}, [&course](int) { course.stop(); });
    Finding finding;
    auto lone = course.lone();
    if (!lone)
        return lone.error();
    finding.lone = *lone;
    watcher.measured_alone(finding.lone);

    const bool bounded = options.memory > 0 && lone->memory > 0;
    const Ceiling ceiling = least(
        options.sessions_max, bounded ? std::optional(options.memory / lone->memory) : std::nullopt,
        options.course.gpus.empty() ? std::nullopt : gpu::sessions_max(options.course.gpus));
    Search search(guess(finding.lone, options.course.cores), ceiling.sessions);
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
    finding.binding = bound_of(finding, search, ceiling.bound);
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
