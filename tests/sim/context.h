#pragma once
// What every part of the simulation shares: virtual time, one seeded generator, the options of the run, and
// the trace whose hash says whether two runs were the same.
//
// Thread: one; a simulation is single-threaded and reads no clock.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/rng.h"
#include "common/base/time.h"

namespace millrace::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A promise of the system was broken; the run ends.
struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Bugs planted in the adapters around the cores. A simulator that does not find them is worth nothing.
enum class Mutation : std::uint8_t {
    none,
    deliver_twice,     // the orchestrator's shell answers a segment twice
    lose_answer,       // it forgets to pass a failure on
    no_attempt_fence,  // results of a former attempt are taken for the current one's
    no_epoch_fence,    // the transcoder's shell hides that the orchestrator was restarted
    ack_before_sync,   // the store says "done" before the row is durable
    lose_release,      // the transcoder never hears that a slot is released
};
inline constexpr int kMutationCount = 7;
[[nodiscard]] std::string_view to_string(Mutation mutation);

// The scenario of one seed. Durations are virtual.
struct Options {
    std::uint64_t seed = 1;
    Duration length = seconds(300);
    Mutation mutation = Mutation::none;
    // One transcoder at a time is in trouble and the others have room for its sessions: nobody may notice
    // more than a delay. Otherwise anything may fail, in any combination.
    bool single_faults = false;

    unsigned orchestrators = 1;
    unsigned transcoders = 3;
    unsigned broadcasters = 4;
    unsigned slots_min = 1;  // per transcoder
    unsigned slots_max = 3;

    Duration delay_min = milliseconds(1);
    Duration delay_mean = milliseconds(10);
    double duplicate = 0;  // chance that a control message comes twice in a row

    Duration fault_every = seconds(10);      // mean; zero = none
    Duration commit_time = milliseconds(5);  // mean
    double engine_speed = 0.3;               // work time per time of video
    double misbehave = 0.05;                 // chance of a broadcaster's prank per segment

    // Faults stop at `faults_end`, pushing at `pushes_end`; the rest is for everything to end.
    [[nodiscard]] TimePoint faults_end() const { return TimePoint{} + length - seconds(90); }
    [[nodiscard]] TimePoint pushes_end() const { return TimePoint{} + length - seconds(45); }
    [[nodiscard]] TimePoint end() const { return TimePoint{} + length; }
};
[[nodiscard]] Options options_for(std::uint64_t seed, Duration length, Mutation mutation);
[[nodiscard]] std::string describe(const Options& options);

// Events in order of time, equal times in order of their making.
class EventQueue {
public:
    [[nodiscard]] TimePoint now() const { return now_; }
    void at(TimePoint when, std::function<void()> run);
    void in(Duration delay, std::function<void()> run) { at(now_ + delay, std::move(run)); }
    // Runs the next event if it is due by `until`; false = nothing left by then, and it is `until` now.
    bool step(TimePoint until);
    [[nodiscard]] std::uint64_t events() const { return done_; }

private:
    struct Event {
        TimePoint at;
        std::uint64_t number;
        std::function<void()> run;
    };
    struct Later {
        bool operator()(const Event& a, const Event& b) const {
            return a.at != b.at ? a.at > b.at : a.number > b.number;
        }
    };
    TimePoint now_;
    std::uint64_t made_ = 0;
    std::uint64_t done_ = 0;
    std::priority_queue<Event, std::vector<Event>, Later> events_;
};

// Everything that happens, as numbers: hashed always, kept as text for the last few, printed on demand.
class Trace {
public:
    explicit Trace(bool print) : print_(print) {}

    // `who`: "t1" for a transcoder, "o0" for an orchestrator, "b2" for a broadcaster.
    void note(TimePoint at, char kind, unsigned who, std::string_view what, std::uint64_t a = 0,
              std::uint64_t b = 0);
    [[nodiscard]] std::uint64_t hash() const { return hash_; }
    // The last events, one a line, oldest first.
    void print_last() const;

private:
    struct Entry {
        TimePoint at;
        char kind = ' ';
        unsigned who = 0;
        std::string_view what;  // literals only
        std::uint64_t a = 0;
        std::uint64_t b = 0;
    };
    static void print(const Entry& entry);
    static constexpr std::size_t kKept = 50;

    std::array<Entry, kKept> last_;
    std::size_t count_ = 0;
    std::uint64_t hash_ = 0xcbf29ce484222325ULL;
    bool print_;
};

struct Context {
    Options options;
    EventQueue queue;
    Rng rng;
    Trace trace;
    bool calm = false;          // faults are over
    bool room_for_all = false;  // and there are slots for every broadcaster
    TimePoint calm_since{};
    bool lies_told = false;  // a transcoder has reported what is not so

    Context(const Options& chosen, bool print_trace)
        : options(chosen), rng(chosen.seed), trace(print_trace) {}

    [[nodiscard]] TimePoint now() const { return queue.now(); }
    [[nodiscard]] Duration between(Duration low, Duration high);
    // Exponential with this mean, at most eight times it.
    [[nodiscard]] Duration around(Duration mean);
    [[nodiscard]] Duration network_delay();
    void note(char kind, unsigned who, std::string_view what, std::uint64_t a = 0,
              std::uint64_t b = 0) {
        trace.note(queue.now(), kind, who, what, a, b);
    }
};

// Bytes that travel, without the bytes: what they are, so that a mix-up is seen.
struct Blob {
    Sha256 sha256{};
    std::uint64_t bytes = 0;
    Sha256 source{};          // renditions: of the segment it was made from
    std::uint64_t maker = 0;  // renditions: which attempt made it, maker_tag()
    std::uint32_t index = 0;
    Duration duration{0};
};
using BlobPtr = std::shared_ptr<const Blob>;

[[nodiscard]] std::uint64_t mix(std::uint64_t a, std::uint64_t b);
[[nodiscard]] Sha256 model_hash(std::uint64_t a, std::uint64_t b);
[[nodiscard]] std::uint64_t short_hash(const Sha256& hash);  // for traces
[[nodiscard]] std::uint64_t maker_tag(unsigned transcoder, Epoch epoch, TaskId task,
                                      AttemptNo attempt);

}  // namespace millrace::sim
