#include "transcoder/bench/course.h"

#include <algorithm>
#include <ctime>
#include <deque>
#include <fstream>

#include "common/base/check.h"
#include "transcoder/engine/engine_process.h"

namespace millrace::bench {
namespace {

using std::chrono::seconds;

constexpr std::uint32_t kThreadsMax = 64;
// A segment may take so many times its duration before the course is given up as a whole: nothing hangs for ever.
constexpr int kPatience = 20;
constexpr Duration kLeast = seconds(30);

// Of all threads of a process, user and system; zero when it is gone.
Duration cpu_of(int pid) {
    clockid_t clock{};
    timespec time{};
    if (pid <= 0 || ::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0)
        return Duration::zero();
    return seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::uint64_t peak_memory_of(int pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmHWM:"))
            return std::stoull(line.substr(6)) * 1024;
    return 0;
}

// What the machine's cores did since it started, in the kernel's ticks.
struct MachineTicks {
    double idle = 0;
    double all = 0;
};
MachineTicks machine_ticks() {
    std::ifstream stat("/proc/stat");
    std::string word;
    stat >> word;  // "cpu", then user, nice, system, idle, iowait, irq, softirq, steal
    MachineTicks ticks;
    double value = 0;
    for (int n = 0; n < 8 && stat >> value; ++n) {
        ticks.all += value;
        ticks.idle += n == 3 || n == 4 ? value : 0;
    }
    return ticks;
}

// Sums into what a segment takes.
void divide(Lone& lone, std::int64_t segments) {
    lone.cpu /= segments;
    lone.wall /= segments;
    lone.duration /= segments;
    lone.times.decode_us /= segments;
    lone.times.scale_us /= segments;
    lone.times.encode_us /= segments;
}

double idle_share(const MachineTicks& before, const MachineTicks& after) {
    return after.all > before.all ? (after.idle - before.idle) / (after.all - before.all) : 0;
}

}  // namespace

// What the segments of a session alone were, in all.
struct Course::Sum {
    std::int64_t decoded = 0;
    std::int64_t encoded = 0;
    std::int64_t scaled = 0;
    std::int64_t work = 0;

    void add(const TranscodeReport& report, const Ladder& ladder) {
        decoded += report.source.pixels;
        for (const RenditionReport& rendition : report.renditions) {
            encoded += rendition.pixels;
            scaled += rendition.pixels > 0 ? report.source.pixels : 0;
            work += rendition.pixels * encode_effort(ladder.at(rendition.index)) / 1000;
        }
    }
    [[nodiscard]] Cost per_second(Duration of) const {
        const auto each = [of](std::int64_t pixels) {
            return static_cast<std::int64_t>(static_cast<double>(pixels) / to_seconds(of));
        };
        Cost cost;
        cost.decode_pixels = each(decoded);
        cost.encode_pixels = each(encoded);
        cost.scale_pixels = each(scaled);
        cost.encode_work = each(work);
        return cost;
    }
};

// One session: an engine, and the segments that wait for it.
class Course::Session {
public:
    Session(Course& course, std::uint32_t threads) : course_(course), threads_(threads) {
        engine::EngineProcess::Callbacks callbacks;
        callbacks.on_probed = [](const SourceInfo&) {};
        callbacks.on_progress = [](const EngineProgress&) {};
        callbacks.on_rendition = [](const RenditionReport&, const PayloadPtr&) {};
        callbacks.on_finished = [this](const TranscodeReport& report) { finished(report); };
        callbacks.on_failed = [this](const Error& problem, std::optional<engine::EngineDeath>) {
            course_.problem_ = problem;
        };
        callbacks.on_ready = [] {};
        callbacks.on_lost = [](engine::EngineDeath, const std::string&) {};
        callbacks.on_walls = [](const EngineWalls&) {};
        process_ =
            std::make_unique<engine::EngineProcess>(course.loop_, std::make_shared<BlockPool>(),
                                                    std::move(callbacks), course.options_.engine);
    }

    // A segment is there now.
    void arrive() {
        waiting_.push_back(course_.loop_.now());
        if (!process_->busy())
            begin();
    }
    [[nodiscard]] std::uint32_t arrived() const {
        return done() + static_cast<std::uint32_t>(waiting_.size());
    }
    [[nodiscard]] std::uint32_t done() const { return static_cast<std::uint32_t>(served.size()); }
    [[nodiscard]] int pid() const { return process_->pid(); }
    [[nodiscard]] const Duration& duration_of(std::uint64_t segment) const {
        return course_.durations_[segment % course_.durations_.size()];
    }

    std::vector<Served> served;  // all of them, warm-up too
    std::optional<TranscodeReport> last;

private:
    void begin() {
        const std::uint64_t seq = done();
        process_->begin(course_.task(threads_, seq));
        process_->feed(course_.clip_[seq % course_.clip_.size()]);
        process_->end_input();
    }
    void finished(const TranscodeReport& report) {
        last = report;
        // What is measured for the first time is its own measure.
        const Duration duration =
            course_.durations_.empty() ? report.source.duration : duration_of(done());
        served.push_back({course_.loop_.now() - waiting_.front(), duration});
        waiting_.pop_front();
        course_.note(done(), served.back());
        if (!waiting_.empty())
            begin();
    }

    Course& course_;
    std::uint32_t threads_;
    std::deque<TimePoint> waiting_;  // since when; the first is at work
    std::unique_ptr<engine::EngineProcess> process_;
};

Course::Course(Loop& loop, Clip clip, CourseOptions options)
    : loop_(loop), clip_(std::move(clip)), options_(std::move(options)) {
    MR_CHECK(!clip_.empty(), "there is something to transcode");
}

Course::~Course() = default;

EngineTask Course::task(std::uint32_t threads, std::uint64_t seq) const {
    EngineTask task;
    task.ladder = options_.ladder;
    task.seq = seq;
    task.limits = options_.limits;
    task.threads = threads;
    return task;
}

Result<void> Course::serve(const std::function<bool()>& done, TimePoint deadline) {
    const bool in_time = loop_.run_until([&] { return done() || problem_ || stopped_; }, deadline);
    if (problem_)
        return *problem_;
    if (stopped_)
        return error(ErrorKind::timeout, "stopped");
    return in_time ? Result<void>() : error(ErrorKind::timeout, "an engine does not come back");
}

// `number`: of its session, from 1.
void Course::note(std::uint32_t number, const Served& served) {
    ++served_;
    late_ = late_ || (number > warm_up_ && served.took > served.duration);
}

Result<TranscodeReport> Course::serve_one(Session& session) {
    const std::uint32_t done = session.done();
    session.arrive();
    MR_TRY(serve([&] { return session.done() > done; },
                 loop_.now() + std::max<Duration>(kLeast, options_.limits.duration * kPatience)));
    if (session.last->source.duration <= Duration::zero())
        return error(ErrorKind::bad_input, "the clip has no duration");
    return *session.last;
}

// The first segment only warms up; then the whole clip, from the second to the first.
Result<Lone> Course::lone() {
    Session session(*this, 1);  // as on a full machine
    Lone lone;
    const auto first = serve_one(session);
    if (!first)
        return first.error();
    lone.source = first->source;
    std::vector<Duration> durations{first->source.duration};
    Sum sum;
    const Duration cpu_before = cpu_of(session.pid());
    for (std::size_t n = 0; n < clip_.size(); ++n) {
        const auto report = serve_one(session);
        if (!report)
            return report.error();
        durations.push_back(report->source.duration);
        lone.wall += session.served.back().took;
        lone.duration += report->source.duration;
        lone.times.decode_us += report->times.decode_us;
        lone.times.scale_us += report->times.scale_us;
        lone.times.encode_us += report->times.encode_us;
        sum.add(*report, options_.ladder);
    }
    lone.cpu = cpu_of(session.pid()) - cpu_before;
    lone.memory = peak_memory_of(session.pid());
    lone.cost = sum.per_second(lone.duration);
    divide(lone, static_cast<std::int64_t>(clip_.size()));
    durations.resize(clip_.size());  // the last was the first again
    durations_ = std::move(durations);
    return lone;
}

Result<Step> Course::run(std::uint32_t sessions, Rounds rounds, const Shown& shown) {
    MR_CHECK(!durations_.empty(), "one session alone comes first");
    const auto threads = static_cast<std::uint32_t>(
        std::clamp(options_.cores / sessions, 1.0, static_cast<double>(kThreadsMax)));
    for (std::uint32_t n = 0; n < sessions; ++n)
        sessions_.push_back(std::make_unique<Session>(*this, threads));

    served_ = 0;
    late_ = false;
    warm_up_ = rounds.warm_up;
    const std::uint32_t each = rounds.warm_up + rounds.counted;
    const Duration spread = durations_.front() / sessions;
    const TimePoint start = loop_.now();
    Duration cpu_before{0};
    MachineTicks ticks_before = machine_ticks();
    TimePoint counted_since = start;
    std::vector<Timer> timers;
    timers.reserve(sessions);
    // Each arrival sets the next one; the timer of the last does nothing more.
    std::function<void(std::uint32_t, TimePoint)> arrive_at = [&](std::uint32_t n, TimePoint when) {
        timers[n].set(when, [&, n, when] {
            Session& session = *sessions_[n];
            if (n == 0 && session.arrived() == rounds.warm_up) {
                counted_since = loop_.now();
                ticks_before = machine_ticks();
                for (const auto& one : sessions_)
                    cpu_before += cpu_of(one->pid());
            }
            session.arrive();
            if (session.arrived() < each)
                arrive_at(n, when + session.duration_of(session.arrived() - 1));
        });
    };
    for (std::uint32_t n = 0; n < sessions; ++n) {
        timers.emplace_back(loop_);
        arrive_at(n, start + spread * n);
    }

    const auto done = [&] {
        shown(served_, each * sessions);
        return served_ == each * sessions || late_;
    };
    const Duration longest = std::ranges::max(durations_);
    const auto served = serve(done, start + std::max<Duration>(kLeast, longest * each * kPatience));
    const double wall = to_seconds(loop_.now() - counted_since);
    Step step;
    step.sessions = sessions;
    step.given_up = late_;
    Duration cpu = -cpu_before;
    for (const auto& one : sessions_) {
        cpu += cpu_of(one->pid());
        auto counted = std::move(one->served);
        counted.erase(
            counted.begin(),
            counted.begin() + std::min<std::ptrdiff_t>(
                                  rounds.warm_up, static_cast<std::ptrdiff_t>(counted.size())));
        step.served.push_back(std::move(counted));
    }
    timers.clear();
    sessions_.clear();
    if (!served)
        return served.error();
    step.idle_share = idle_share(ticks_before, machine_ticks());
    step.cpu_share = wall > 0 ? to_seconds(cpu) / wall / options_.cores : 0;
    return step;
}

}  // namespace millrace::bench
