#include "transcoder/bench/auto_slots.h"

#include <fmt/format.h>

#include "common/runtime/log.h"
#include "transcoder/bench/machine_lock.h"
#include "transcoder/bench/report.h"

namespace millrace::bench {
namespace {

constexpr Synthetic kClip{{1280, 720}, 4'000'000, 2, 1};
constexpr Rounds kRounds{1, 4};

class LogWatcher final : public Watcher {
public:
    void step_done(const Step& step, const Verdict& verdict) override {
        log::info("bench", verdict.holds ? "holds" : "does not hold",
                  {{"sessions", std::to_string(step.sessions)},
                   {"p95", fmt::format("{:.2f}", verdict.all.p95)},
                   {"cpu", fmt::format("{:.0f}%", 100 * step.cpu_share)}});
        for (const GpuLoad& load : step.gpus)
            log::info("bench", in_words(load));
    }
};

}  // namespace

Result<Measured> auto_slots(const MachineFacts& facts, const CourseOptions& course,
                            Memory& memory) {
    if (const auto known = from_cache(memory.load(), facts)) {
        log::info("bench", "as measured before", {{"sessions", std::to_string(known->sessions)}});
        return *known;
    }
    const auto lock = MachineLock::take(
        [] { log::info("bench", "another transcoder of this machine measures: waiting for it"); });
    log::info("bench", "measuring how many sessions this machine carries; some seconds, once");
    auto clip = make_clip(kClip);
    if (!clip)
        return clip.error();
    LogWatcher watcher;
    auto found =
        measure(std::move(*clip), {course, kRounds, kSlotsMax, memory_for_engines()}, watcher);
    if (!found)
        return found.error();
    if (found->sessions == 0)
        return error(ErrorKind::unsupported,
                     "this machine does not carry a single session of the default ladder in real "
                     "time: " +
                         bound_sentence(*found));
    const Measured measured{found->sessions, found->capacity()};
    log::info("bench", bound_sentence(*found), {{"sessions", std::to_string(measured.sessions)}});
    memory.save(to_cache(facts, measured));
    return measured;
}

}  // namespace millrace::bench
