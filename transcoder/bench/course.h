#pragma once
// Course: real engine processes at real work. One alone tells what a segment costs; so many sessions side by side, each
// given a segment whenever the one before has passed in real time, tell whether the machine keeps up.
//
// A session's segments wait in its slot as on a transcoder: an engine does one at a time. Sessions begin spread over a
// segment's duration, as broadcasters do. Threads per engine follow the number of sessions, as in a transcoder's core.
// Where there are GPUs, sessions are seated on them by the same board as a transcoder's, and begin when all engines have
// opened theirs.
//
// A GPU that fails, hangs or leaves the bus ends it (ErrorKind::device), unless its memory is full: then that number of
// sessions does not hold.
//
// Thread: loop, the process's main thread (engines die with the thread that started them). Owner: measure().

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/domain/capacity.h"
#include "common/domain/engine_protocol.h"
#include "common/domain/segment.h"
#include "common/domain/segment_limits.h"
#include "common/runtime/loop.h"
#include "transcoder/bench/clip.h"
#include "transcoder/bench/step.h"
#include "transcoder/core/gpu_board.h"
#include "transcoder/gpu/gpu_stock.h"

namespace millrace::bench {

// How the segments of a session are divided.
struct Rounds {
    std::uint32_t warm_up = 1;  // not counted: encoders' memory and caches are cold
    std::uint32_t counted = 3;
};

struct CourseOptions {
    Ladder ladder;
    SegmentLimits limits;
    double cores = 1;                       // that this process may use
    gpu::Stock gpus;                        // that sessions have, all ready; empty: none
    std::string engine = "/proc/self/exe";  // a program whose main() knows "__engine"
};

// One session alone, one segment after the other without a pause.
struct Lone {
    Duration cpu{0};           // of the engine, per segment
    Duration wall{0};          // per segment
    Duration duration{0};      // of a segment
    StageTimes times;          // per segment
    Cost cost;                 // of a session: pixels per second of video
    SourceInfo source;         // of the first segment
    std::uint64_t memory = 0;  // bytes an engine held at most
    std::vector<GpuLoad> gpus;
};

class Course {
public:
    using Shown = std::function<void(std::uint32_t done, std::uint32_t of)>;  // segments

    static constexpr Duration kReadEvery = std::chrono::milliseconds(500);
    // What the driver last told of its GPUs; asked that often, and only where sessions have some.
    using Readings = std::function<std::vector<gpu::Reading>()>;
    Course(Loop& loop, Clip clip, CourseOptions options, Readings readings);
    ~Course();
    Course(const Course&) = delete;
    Course& operator=(const Course&) = delete;

    // bad_input: the clip cannot be transcoded; the message says why.
    [[nodiscard]] Result<Lone> lone();
    // After lone(). Gives up at the first counted segment that is late.
    [[nodiscard]] Result<Step> run(std::uint32_t sessions, Rounds rounds, const Shown& shown);
    // What runs ends with ErrorKind::timeout. From a signal's handler on the loop.
    void stop() { stopped_ = true; }

private:
    class Session;
    struct Sum;

    [[nodiscard]] EngineTask task(std::uint32_t threads, std::uint64_t seq,
                                  transcoder::Place gpu) const;
    [[nodiscard]] std::string uuid(transcoder::Place gpu) const;
    // With an engine each, seated; all of them up where they have GPUs.
    [[nodiscard]] Result<void> open_sessions(std::uint32_t count, std::uint32_t threads);
    void close_sessions();
    [[nodiscard]] Result<Lone> alone();
    // What there is to say of the sessions when they were served, or not.
    [[nodiscard]] Result<void> paced(Rounds rounds, const Shown& shown, Step& step);
    // Reads the GPUs from now on.
    void watch_gpus();
    void read_gpus();
    [[nodiscard]] bool card_is_full();
    [[nodiscard]] std::optional<Error> silent() const;
    // Something is wrong with a session's engine: that ends the course.
    void broken(transcoder::Place gpu, const Error& problem);
    [[nodiscard]] Result<void> serve(const std::function<bool()>& done, TimePoint deadline);
    [[nodiscard]] Result<TranscodeReport> serve_one(Session& session);
    void note(std::uint32_t number, const Served& served);

    Loop& loop_;
    Clip clip_;
    CourseOptions options_;
    Readings readings_;
    transcoder::GpuBoard board_;
    std::vector<gpu::Chosen> cards_;   // as board_ numbers them
    std::vector<Duration> durations_;  // of the clip's segments, once known
    std::vector<std::unique_ptr<Session>> sessions_;
    std::uint32_t served_ = 0;   // of the step, by all sessions
    std::uint32_t warm_up_ = 0;  // of each session, not counted
    bool late_ = false;          // one that counts
    StageCounts stages_;         // of the step
    std::optional<LoadMeter> meter_;
    Timer reading_;  // the next one
    std::optional<Error> problem_;
    bool stopped_ = false;
};

}  // namespace millrace::bench
