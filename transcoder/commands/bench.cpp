#include "transcoder/commands/bench.h"

#include <cstdio>
#include <utility>

#include <unistd.h>

#include "common/config/exit_code.h"
#include "transcoder/bench/machine_lock.h"
#include "transcoder/bench/measure.h"
#include "transcoder/bench/report.h"
#include "transcoder/gpu/gpu_stock.h"

namespace millrace::transcoder {
namespace {

constexpr bench::Synthetic kClip{{1280, 720}, 4'000'000, 3, 2};
constexpr bench::Rounds kRounds{2, 6};
constexpr int kExitStopped = 130;  // as a shell says of a program that SIGINT ended

// Steps as they are done; in between a line that is written over where there is a terminal.
class Screen final : public bench::Watcher {
public:
    explicit Screen(bool json)
        : out_(json ? stderr : stdout), live_(::isatty(STDERR_FILENO) != 0) {}

    void measured_alone(const bench::Lone& lone) override {
        wipe();
        std::fprintf(out_, "  one segment of %dx%d alone: %.2f s of CPU for %.2f s of video\n",
                     lone.source.size.width, lone.source.size.height, to_seconds(lone.cpu),
                     to_seconds(lone.duration));
        std::fflush(out_);
    }
    void running(std::uint32_t sessions, std::uint32_t done, std::uint32_t of) override {
        if (!live_ || done == shown_)
            return;
        shown_ = done;
        std::fprintf(stderr, "\r\033[K  %4u session%s  %u of %u segments", sessions,
                     sessions == 1 ? " " : "s", done, of);
        std::fflush(stderr);
    }
    void step_done(const bench::Step& step, const bench::Verdict& verdict) override {
        wipe();
        std::fprintf(out_, "%s\n", bench::step_line(step, verdict).c_str());
        std::fflush(out_);
    }
    void wipe() {
        if (live_ && shown_ != kNothing)
            std::fputs("\r\033[K", stderr);
        shown_ = kNothing;
    }

private:
    static constexpr std::uint32_t kNothing = ~0U;
    std::FILE* out_;
    bool live_;
    std::uint32_t shown_ = kNothing;
};

int fail(const Error& problem) {
    std::fprintf(stderr, "transcoder: bench: %s\n", problem.message.c_str());
    switch (problem.kind) {
        case ErrorKind::bad_input:
            return config::kExitBadInput;
        case ErrorKind::unsupported:
            return config::kExitUsage;
        case ErrorKind::timeout:
            return kExitStopped;
        default:
            return config::kExitDevice;
    }
}

// Tried first, as by a transcoder; what cannot be used is told and left out.
Result<gpu::Stock> take_gpus(const BenchOptions& options) {
    if (options.gpus.none())
        return gpu::Stock();
    auto stock = gpu::take_stock(options.gpus);
    if (!stock)
        return error(ErrorKind::device,
                     "--nvidia " + options.gpus.text() + ": " + stock.error().message);
    for (const gpu::GpuRecord& record : *stock)
        if (record.state != gpu::GpuState::ready)
            std::fprintf(stderr, "%s cannot be used: %s\n", gpu::in_words(record.gpu).c_str(),
                         record.reason.c_str());
    return gpu::ready_of(*stock);
}

}  // namespace

int run_bench(const BenchOptions& options) {
    auto clip = options.inputs.empty() ? bench::make_clip(kClip)
                                       : bench::load_clip(options.inputs, options.limits);
    if (!clip)
        return fail(clip.error());
    auto gpus = take_gpus(options);
    if (!gpus)
        return fail(gpus.error());
    const auto lock = bench::MachineLock::take([] {
        std::fprintf(stderr, "another transcoder of this machine measures: waiting for it\n");
    });
    Screen screen(options.json);
    const auto found =
        bench::measure(std::move(*clip),
                       {{options.ladder, options.limits, options.cores, std::move(*gpus)},
                        kRounds,
                        kSlotsMax,
                        bench::memory_for_engines()},
                       screen);
    screen.wipe();
    if (!found)
        return fail(found.error());
    std::fputs((options.json ? bench::to_json(*found) : bench::table(*found)).c_str(), stdout);
    return found->sessions > 0 ? config::kExitDone : config::kExitDevice;
}

}  // namespace millrace::transcoder
