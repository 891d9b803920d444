#pragma once
// What benchmarks/pipeline and benchmarks/soak share: an engine process as the transcoder has it, with what it
// cost; ffmpeg started for the same segment; files.
//
// Thread: main's. Owner: main.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/domain/engine_protocol.h"
#include "common/runtime/loop.h"
#include "common/runtime/payload.h"

namespace millrace::engine {
class EngineProcess;
}

namespace millrace::bench {

struct Cost {
    double wall_s = 0;
    double cpu_s = 0;     // of all processes that took part
    double peak_mib = 0;  // resident, of the largest process
    double own_mib =
        0;  // of that, without pages of files: program and libraries, which processes share
    double inside_s = 0;  // CPU inside decode, scale and encode calls; ours only
    double engine_s = 0;  // CPU of the engine alone; ours only
};

// What a process holds now.
struct Held {
    double resident_mib = 0;
    double peak_mib = 0;
    double files_mib = 0;  // resident, of files
    int descriptors = 0;
    int threads = 0;
};
[[nodiscard]] Held held_by(int pid);

// One engine process on a loop, driven as the transcoder drives it.
class Engine {
public:
    Engine(Loop& loop, const std::string& executable);
    ~Engine();

    void begin(const EngineTask& task, const std::vector<std::uint8_t>& source);
    [[nodiscard]] bool busy() const;
    // Once it is not busy; ends the program with a sentence when the task failed.
    [[nodiscard]] const Cost& cost() const { return cost_; }
    [[nodiscard]] const std::vector<std::pair<std::string, PayloadPtr>>& files() const {
        return files_;
    }
    [[nodiscard]] int pid() const;
    [[nodiscard]] std::uint64_t restarts() const;

private:
    void finished(const TranscodeReport& report);

    Loop& loop_;
    std::shared_ptr<BlockPool> pool_ = std::make_shared<BlockPool>();
    Cost cost_;
    TimePoint begun_;
    Held held_;
    std::vector<std::pair<std::string, PayloadPtr>> files_;
    std::unique_ptr<engine::EngineProcess> process_;
};

// A program with these arguments, told nothing and saying nothing.
class Process {
public:
    explicit Process(std::vector<std::string> words);
    // False: it failed. `cost`: its own, without wall time.
    [[nodiscard]] bool wait(Cost& cost);

private:
    int pid_ = -1;
};

[[nodiscard]] double quantile(std::vector<double> values, double share);
[[nodiscard]] std::vector<std::uint8_t> read_file(const std::string& path);
void write_file(const std::string& path, const Payload& bytes);
// Ends the program with a sentence.
[[noreturn]] void give_up(const std::string& why);
void print_machine();

}  // namespace millrace::bench
