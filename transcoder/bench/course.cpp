#include "transcoder/bench/course.h"

#include <algorithm>
#include <deque>
#include <fstream>

#include "common/base/check.h"
#include "common/runtime/process_usage.h"
#include "transcoder/bench/bound.h"
#include "transcoder/engine/engine_process.h"

namespace millrace::bench {
namespace {

using std::chrono::seconds;

constexpr std::uint32_t kThreadsMax = 64;
// A segment may take so many times its duration before the course is given up as a whole: nothing hangs for ever.
constexpr int kPatience = 20;
constexpr Duration kLeast = seconds(30);
// An engine at work says something four times a second: one that is silent for so long hangs, however full the machine.
constexpr Duration kSilenceMax = seconds(15);
constexpr Duration kLookEvery = seconds(1);
// All engines of a machine open their card one after the other; each gives up before that.
constexpr Duration kOpenWithin =
    engine::EngineProcess::kOpensWithin + engine::EngineProcess::kUpWithin;

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

std::vector<transcoder::GpuEntry> entries_of(const gpu::Stock& stock) {
    std::vector<transcoder::GpuEntry> entries;
    for (const gpu::GpuRecord& record : stock)
        entries.push_back({record.gpu.sessions_max});
    return entries;
}

std::vector<gpu::Chosen> cards_of(const gpu::Stock& stock) {
    std::vector<gpu::Chosen> cards;
    for (const gpu::GpuRecord& record : stock)
        cards.push_back(record.gpu);
    return cards;
}

std::vector<Served> without_warm_up(std::vector<Served> served, std::uint32_t warm_up) {
    const auto cold = std::min<std::size_t>(warm_up, served.size());
    served.erase(served.begin(), served.begin() + static_cast<std::ptrdiff_t>(cold));
    return served;
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
    Session(Course& course, std::uint32_t threads, transcoder::Place seat)
        : gpu(seat), course_(course), threads_(threads), up_(!seat) {
        process_ = std::make_unique<engine::EngineProcess>(
            course.loop_, std::make_shared<BlockPool>(), callbacks(), course.options_.engine,
            course.uuid(seat));
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
    [[nodiscard]] bool up() const { return up_; }
    [[nodiscard]] bool silent() const {
        return process_->busy() && course_.loop_.now() - heard_ > kSilenceMax;
    }
    [[nodiscard]] const Duration& duration_of(std::uint64_t segment) const {
        return course_.durations_[segment % course_.durations_.size()];
    }

    const transcoder::Place gpu;
    std::vector<Served> served;  // all of them, warm-up too
    std::optional<TranscodeReport> last;

private:
    engine::EngineProcess::Callbacks callbacks() {
        engine::EngineProcess::Callbacks callbacks;
        callbacks.on_probed = [this](const SourceInfo&) { heard(); };
        callbacks.on_progress = [this](const EngineProgress&) { heard(); };
        callbacks.on_rendition = [this](const RenditionReport&, const PayloadPtr&) { heard(); };
        callbacks.on_finished = [this](const TranscodeReport& report) { finished(report); };
        callbacks.on_failed = [this](const Error& problem, std::optional<engine::EngineDeath>) {
            course_.broken(gpu, problem);
        };
        callbacks.on_ready = [this] { up_ = true; };
        // Without a GPU another one comes up, and nothing was lost.
        callbacks.on_lost = [this](engine::EngineDeath, const std::string& why) {
            if (gpu)
                course_.broken(gpu, error(ErrorKind::device, why));
        };
        callbacks.on_walls = [](const EngineWalls&) {};
        callbacks.on_stages = [this](const StagesUsed& stages) { course_.stages_.add(stages); };
        return callbacks;
    }
    void heard() { heard_ = course_.loop_.now(); }
    void begin() {
        const std::uint64_t seq = done();
        heard();
        process_->begin(course_.task(threads_, seq, gpu));
        process_->feed(course_.clip_[seq % course_.clip_.size()]);
        process_->end_input();
    }
    void finished(const TranscodeReport& report) {
        last = report;
        // What is measured for the first time is its own measure.
        const Duration duration =
            course_.durations_.empty() ? report.source.duration : duration_of(done());
        served.push_back({course_.loop_.now() - waiting_.front(), duration,
                          std::chrono::microseconds(report.cpu_us)});
        waiting_.pop_front();
        course_.note(done(), served.back());
        if (!waiting_.empty())
            begin();
    }

    Course& course_;
    std::uint32_t threads_;
    bool up_;  // its GPU is open, where it has one
    TimePoint heard_;
    std::deque<TimePoint> waiting_;  // since when; the first is at work
    std::unique_ptr<engine::EngineProcess> process_;
};

Course::Course(Loop& loop, Clip clip, CourseOptions options, Readings readings)
    : loop_(loop),
      clip_(std::move(clip)),
      options_(std::move(options)),
      readings_(std::move(readings)),
      board_(entries_of(options_.gpus)),
      cards_(cards_of(options_.gpus)),
      reading_(loop) {
    MR_CHECK(!clip_.empty(), "there is something to transcode");
}

Course::~Course() = default;

EngineTask Course::task(std::uint32_t threads, std::uint64_t seq, transcoder::Place gpu) const {
    EngineTask task;
    task.ladder = options_.ladder;
    task.seq = seq;
    task.limits = options_.limits;
    task.threads = threads;
    if (gpu)
        gpu::allow(task, options_.gpus.at(gpu->value));
    return task;
}

std::string Course::uuid(transcoder::Place gpu) const {
    return gpu ? cards_.at(gpu->value).uuid : std::string();
}

void Course::broken(transcoder::Place gpu, const Error& problem) {
    if (problem_)
        return;  // the first says most
    problem_ = problem;
    // What an engine with a GPU dies of may be its driver; what it says of a segment is the segment's.
    if (gpu && problem.kind != ErrorKind::bad_input)
        problem_ =
            error(ErrorKind::device, gpu::in_words(cards_.at(gpu->value)) + ": " + problem.message);
}

Result<void> Course::open_sessions(std::uint32_t count, std::uint32_t threads) {
    for (const transcoder::Place place : board_.seat(std::vector<transcoder::Seat>(count)))
        sessions_.push_back(std::make_unique<Session>(*this, threads, place));
    const auto all_up = [this] {
        return std::ranges::all_of(sessions_, [](const auto& one) { return one->up(); });
    };
    return serve(all_up, loop_.now() + kOpenWithin);
}

void Course::close_sessions() {
    reading_.cancel();
    meter_.reset();
    sessions_.clear();
}

std::optional<Error> Course::silent() const {
    const auto one =
        std::ranges::find_if(sessions_, [](const auto& session) { return session->silent(); });
    if (one == sessions_.end())
        return std::nullopt;
    if ((*one)->gpu)
        return error(ErrorKind::device,
                     gpu::in_words(cards_.at((*one)->gpu->value)) + ": an engine with it hangs");
    return error(ErrorKind::internal, "an engine hangs");
}

Result<void> Course::serve(const std::function<bool()>& done, TimePoint deadline) {
    const auto over = [&] { return done() || problem_ || stopped_; };
    while (!loop_.run_until(over, std::min(deadline, loop_.now() + kLookEvery))) {
        problem_ = silent();
        if (!problem_ && loop_.now() >= deadline)
            problem_ = error(ErrorKind::internal, "an engine does not come back");
    }
    if (stopped_)
        return error(ErrorKind::timeout, "stopped");
    return problem_ ? Result<void>(*problem_) : Result<void>();
}

void Course::watch_gpus() {
    if (cards_.empty())
        return;
    std::vector<std::uint32_t> seated(cards_.size());
    for (const auto& session : sessions_)
        if (session->gpu)
            ++seated.at(session->gpu->value);
    meter_.emplace(cards_, seated);
    reading_.set(loop_.now() + kReadEvery, [this] { read_gpus(); });
}

void Course::read_gpus() {
    const std::vector<gpu::Reading> now = readings_();
    meter_->add(now);
    if (const gpu::Chosen* gone = fallen_away(cards_, now); gone != nullptr && !problem_)
        problem_ = error(ErrorKind::device, gpu::in_words(*gone) + " has left the bus");
    reading_.set(loop_.now() + kReadEvery, [this] { read_gpus(); });
}

// After a GPU failed, while the other engines still hold what they have of it.
bool Course::card_is_full() {
    if (stopped_ || !problem_ || problem_->kind != ErrorKind::device)
        return false;
    if (!meter_)
        watch_gpus();
    // The driver's next word, and one more.
    (void)loop_.run_until([this] { return stopped_; }, loop_.now() + 3 * kReadEvery);
    return std::ranges::any_of(meter_->loads(), [](const GpuLoad& load) {
        return load.sessions > 1 && load.memory_taken.value_or(0) >= kUsedUp;
    });
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

Result<Lone> Course::lone() {
    auto lone = alone();
    close_sessions();
    return lone;
}

// The first segment only warms up; then the whole clip, from the second to the first.
Result<Lone> Course::alone() {
    MR_TRY(open_sessions(1, 1));  // as on a full machine
    Session& session = *sessions_.front();
    Lone lone;
    const auto first = serve_one(session);
    if (!first)
        return first.error();
    lone.source = first->source;
    std::vector<Duration> durations{first->source.duration};
    Sum sum;
    watch_gpus();
    for (std::size_t n = 0; n < clip_.size(); ++n) {
        const auto report = serve_one(session);
        if (!report)
            return report.error();
        durations.push_back(report->source.duration);
        lone.cpu += session.served.back().cpu;
        lone.wall += session.served.back().took;
        lone.duration += report->source.duration;
        lone.times.decode_us += report->times.decode_us;
        lone.times.scale_us += report->times.scale_us;
        lone.times.encode_us += report->times.encode_us;
        sum.add(*report, options_.ladder);
    }
    if (meter_)
        lone.gpus = meter_->loads();
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
    served_ = 0;
    late_ = false;
    stages_ = {};
    warm_up_ = rounds.warm_up;
    Step step;
    step.sessions = sessions;
    auto served = open_sessions(sessions, threads);
    if (served)
        served = paced(rounds, shown, step);
    if (!served && card_is_full()) {
        problem_.reset();
        late_ = true;
        served = {};
    }
    step.given_up = late_;
    step.stages = stages_;
    for (const auto& one : sessions_)
        step.served.push_back(without_warm_up(std::move(one->served), warm_up_));
    if (meter_)
        step.gpus = meter_->loads();
    close_sessions();
    if (!served)
        return served.error();
    return step;
}

Result<void> Course::paced(Rounds rounds, const Shown& shown, Step& step) {
    const auto sessions = static_cast<std::uint32_t>(sessions_.size());
    const std::uint32_t each = rounds.warm_up + rounds.counted;
    const Duration spread = durations_.front() / sessions;
    const TimePoint start = loop_.now();
    Duration cpu_before{0};
    MachineTicks ticks_before = machine_ticks();
    TimePoint counted_since = start;
    std::vector<Timer> timers;
    timers.reserve(sessions);
    const auto counting_begins = [&] {
        counted_since = loop_.now();
        ticks_before = machine_ticks();
        for (const auto& one : sessions_)
            cpu_before += cpu_time_of(one->pid());
        watch_gpus();
    };
    // Each arrival sets the next one; the timer of the last does nothing more.
    std::function<void(std::uint32_t, TimePoint)> arrive_at = [&](std::uint32_t n, TimePoint when) {
        timers[n].set(when, [&, n, when] {
            Session& session = *sessions_[n];
            if (n == 0 && session.arrived() == rounds.warm_up)
                counting_begins();
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
    auto served = serve(done, start + std::max<Duration>(kLeast, longest * each * kPatience));
    const double wall = to_seconds(loop_.now() - counted_since);
    Duration cpu = -cpu_before;
    for (const auto& one : sessions_)
        cpu += cpu_time_of(one->pid());
    step.idle_share = idle_share(ticks_before, machine_ticks());
    step.cpu_share = wall > 0 ? to_seconds(cpu) / wall / options_.cores : 0;
    return served;
}

}  // namespace millrace::bench
