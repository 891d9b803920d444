#include "transcoder/engine/engine_process.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <signal.h>
#include <sys/resource.h>

#include "common/runtime/process_usage.h"
#include "common/runtime/sha256.h"
#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "transcoder/engine/sanitized.h"

namespace millrace::engine {
namespace {

using namespace std::chrono_literals;

RenditionSpec small_rendition() {
    RenditionSpec spec;
    spec.name = "small";
    spec.width = 96;
    spec.height = 54;
    return spec;
}

EngineTask small_task(std::uint64_t seq = 0) {
    EngineTask task;
    task.ladder = {small_rendition()};
    task.seq = seq;
    return task;
}

// An engine with everything it says written down.
struct Bench {
    explicit Bench(std::string executable = MILLRACE_ENGINE_UNDER_TEST)
        : engine(loop, pool,
                 {[this](const SourceInfo& source) { probed.push_back(source); },
                  [this](const EngineProgress& now) { progress += now.frames > 0 ? 1 : 0; },
                  [this](const RenditionReport& report, PayloadPtr payload) {
                      renditions.emplace_back(report, std::move(payload));
                  },
                  [this](const TranscodeReport& report) { finished = report; },
                  [this](const Error& problem, std::optional<EngineDeath> how) {
                      failed = problem;
                      death = how;
                  },
                  [this] { ++ready; }, [this](EngineDeath, const std::string& why) { lost = why; },
                  [this](const EngineWalls& found) { walls = found; }},
                 std::move(executable)) {}

    void run(const EngineTask& task, const std::vector<std::uint8_t>& source) {
        finished.reset();
        failed.reset();
        renditions.clear();
        engine.begin(task);
        engine.feed(make_payload(pool, source));
        engine.end_input();
    }
    bool wait_for(const std::function<bool()>& condition) {
        return loop.run_until(condition, loop.now() + 20s);
    }
    bool wait_for_outcome() {
        return wait_for([this] { return finished || failed; });
    }

    std::shared_ptr<BlockPool> pool = std::make_shared<BlockPool>();
    Loop loop;
    std::vector<SourceInfo> probed;
    std::vector<std::pair<RenditionReport, PayloadPtr>> renditions;
    std::optional<TranscodeReport> finished;
    std::optional<Error> failed;
    std::optional<EngineDeath> death;
    std::optional<EngineWalls> walls;
    int ready = 0;
    int progress = 0;
    std::string lost;
    EngineProcess engine;
};

// The environment of engines started in its life.
struct Fault {
    explicit Fault(const char* name) { setenv("MILLRACE_ENGINE_FAULT", name, 1); }
    ~Fault() { unsetenv("MILLRACE_ENGINE_FAULT"); }
};

std::vector<std::uint8_t> bytes_of(const PayloadPtr& payload) {
    std::vector<std::uint8_t> bytes(payload->size());
    payload->read(0, bytes);
    return bytes;
}

#ifndef MILLRACE_NO_FAULT_HOOKS
// Whether each thread has this niceness.
bool all_nice(int pid, int niceness) {
    const std::filesystem::directory_iterator threads("/proc/" + std::to_string(pid) + "/task");
    return std::ranges::all_of(threads, [&](const auto& thread) {
        errno = 0;
        const auto id = static_cast<id_t>(std::stoul(thread.path().filename()));
        return getpriority(PRIO_PROCESS, id) == niceness && errno == 0;
    });
}
#endif

#ifndef MILLRACE_SANITIZED
std::uint64_t resident_kib(int pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmRSS:"))
            return std::stoull(line.substr(6));
    return 0;
}
#endif

}  // namespace

TEST_CASE("an engine transcodes segment after segment and stays the same process", "[engine]") {
    Bench bench;
    const auto clip = test::clip({.seconds = 1.0});
    bench.run(small_task(), clip);
    REQUIRE(bench.wait_for_outcome());
    REQUIRE(bench.finished);
    const int pid = bench.engine.pid();
    CHECK(bench.finished->source.frames == 25);
    REQUIRE(bench.renditions.size() == 1);
    const auto& [report, payload] = bench.renditions[0];
    CHECK(report.frames == 25);
    CHECK(report.bytes == payload->size());
    CHECK(report.sha256 == sha256_of(bytes_of(payload)));
    CHECK(bench.finished->renditions == std::vector{report});
    CHECK(bench.probed.back().duration == 1s);
    CHECK(bench.progress > 0);

    bench.run(small_task(1), clip);
    REQUIRE(bench.wait_for_outcome());
    CHECK(bench.finished);
    CHECK(bench.engine.pid() == pid);
    CHECK(bench.engine.restarts() == 0);
    CHECK(bench.ready == 0);
}

TEST_CASE("what an engine took of the CPU is counted for each task alone", "[engine]") {
    Bench bench;
    const auto clip = test::clip({.seconds = 1.0});
    const auto taken = [&bench] {
        REQUIRE(bench.wait_for_outcome());
        REQUIRE(bench.finished);
        return Duration(std::chrono::microseconds(bench.finished->cpu_us));
    };
    bench.run(small_task(), clip);
    const Duration first = taken();
    const Duration after_first = cpu_time_of(bench.engine.pid());
    CHECK(first > 0s);
    CHECK(first <= after_first);

    bench.run(small_task(1), clip);
    const Duration second = taken();
    CHECK(second > 0s);
    CHECK(second <=
          cpu_time_of(bench.engine.pid()) - after_first);  // none of the first counts again
}

TEST_CASE("an engine that gives back its memory takes the next segment as before", "[engine]") {
    Bench bench;
    const auto clip = test::clip({.seconds = 0.4});
    bench.engine.give_back_memory();  // it may not be up yet
    for (std::uint64_t seq = 0; seq < 3; ++seq) {
        bench.run(small_task(seq), clip);
        bench.engine.give_back_memory();  // with a task: nothing
        REQUIRE(bench.wait_for_outcome());
        REQUIRE(bench.finished);
        CHECK(bench.finished->source.frames == 10);
        bench.engine.give_back_memory();
        bench.engine.give_back_memory();
    }
    CHECK(bench.engine.restarts() == 0);
}

#ifndef MILLRACE_SANITIZED
TEST_CASE("what an engine keeps goes back to the machine when it is told, not ten seconds later",
          "[engine][memory]") {
    Bench bench;
    EngineTask task = small_task();
    task.ladder[0].width = 1280;
    task.ladder[0].height = 720;
    bench.run(task, test::clip({.seconds = 1.0}));
    REQUIRE(bench.wait_for_outcome());
    REQUIRE(bench.finished);
    const std::uint64_t kept = resident_kib(bench.engine.pid());
    bench.engine.give_back_memory();
    const TimePoint latest = bench.loop.now() + 5s;
    while (resident_kib(bench.engine.pid()) > kept / 2 && bench.loop.now() < latest)
        CHECK_FALSE(bench.loop.run_until([] { return false; }, bench.loop.now() + 20ms));
    INFO(kept << " KiB kept");
    CHECK(resident_kib(bench.engine.pid()) <= kept / 2);
}
#endif

TEST_CASE("the same segment gives the same bytes in another engine", "[engine]") {
    const auto clip = test::clip({.seconds = 0.4});
    std::vector<Sha256> hashes;
    for (int i = 0; i < 2; ++i) {
        Bench bench;
        bench.run(small_task(), clip);
        REQUIRE(bench.wait_for_outcome());
        REQUIRE(bench.renditions.size() == 1);
        hashes.push_back(bench.renditions[0].first.sha256);
    }
    CHECK(hashes[0] == hashes[1]);
}

TEST_CASE("a source may arrive while the engine works on it", "[engine]") {
    Bench bench;
    const auto clip = test::clip({.seconds = 1.0});
    bench.engine.begin(small_task());
    constexpr std::size_t kPiece = 10'000;
    for (std::size_t at = 0; at < clip.size(); at += kPiece) {
        const auto piece = std::span(clip).subspan(at, std::min(kPiece, clip.size() - at));
        bench.engine.feed(make_payload(bench.pool, piece));
        CHECK_FALSE(bench.loop.run_until([] { return false; }, bench.loop.now() + 2ms));
    }
    bench.engine.end_input();
    REQUIRE(bench.wait_for_outcome());
    REQUIRE(bench.finished);
    CHECK(bench.finished->source.frames == 25);
}

TEST_CASE("bytes that are no video come back as bad input from a living engine", "[engine]") {
    Bench bench;
    const std::string page = "<html>no such segment</html>";
    bench.run(small_task(), {page.begin(), page.end()});
    REQUIRE(bench.wait_for_outcome());
    REQUIRE(bench.failed);
    CHECK(bench.failed->kind == ErrorKind::bad_input);
    CHECK_FALSE(bench.death);
    bench.run(small_task(), test::clip({.seconds = 0.2}));
    REQUIRE(bench.wait_for_outcome());
    CHECK(bench.finished);
    CHECK(bench.engine.restarts() == 0);
}

#ifndef MILLRACE_NO_FAULT_HOOKS
TEST_CASE("a crash over a segment is told apart and costs that segment alone", "[engine]") {
    const Fault fault("segv:7");
    Bench bench;
    const auto clip = test::clip({.seconds = 0.4});
    bench.run(small_task(7), clip);
    REQUIRE(bench.wait_for_outcome());
    REQUIRE(bench.failed);
    CHECK(bench.death == EngineDeath::crash);
    CHECK(bench.failed->kind == ErrorKind::internal);
    CHECK(bench.failed->message.find("signal 11") != std::string::npos);
    REQUIRE(bench.wait_for([&] { return bench.ready == 1; }));
    bench.run(small_task(8), clip);
    REQUIRE(bench.wait_for_outcome());
    CHECK(bench.finished);
    CHECK(bench.engine.restarts() == 1);
}

TEST_CASE("an engine that eats all memory is told apart from one that crashes", "[engine]") {
    const Fault fault("hog:7");
    Bench bench;
    bench.run(small_task(7), test::clip({.seconds = 0.4}));
    REQUIRE(bench.wait_for_outcome());
    REQUIRE(bench.failed);
    CHECK(bench.death == EngineDeath::memory);
    CHECK(bench.failed->kind == ErrorKind::overloaded);
    CHECK(bench.failed->message == "the engine ran out of memory");
}

TEST_CASE("an engine that ends by itself in the middle of a task counts as crashed", "[engine]") {
    const Fault fault("exit:7");
    Bench bench;
    bench.run(small_task(7), test::clip({.seconds = 0.4}));
    REQUIRE(bench.wait_for_outcome());
    CHECK(bench.death == EngineDeath::crash);
    CHECK(bench.failed->message == "the engine ended by itself with code 1");
}

TEST_CASE("an engine that makes a forbidden system call is told apart and names it", "[engine]") {
    const Fault fault("call:7");
    Bench bench;
    const auto clip = test::clip({.seconds = 0.4});
    bench.run(small_task(7), clip);
    REQUIRE(bench.wait_for_outcome());
    REQUIRE(bench.failed);
    CHECK(bench.death == EngineDeath::forbidden_call);
    CHECK(bench.failed->kind == ErrorKind::internal);
    CHECK(bench.failed->message == "the engine made a forbidden system call (socket)");
    REQUIRE(bench.wait_for([&] { return bench.ready == 1; }));
    bench.run(small_task(8), clip);
    REQUIRE(bench.wait_for_outcome());
    CHECK(bench.finished);
}

TEST_CASE("an engine that keeps memory past its task is replaced, and nobody waits for it",
          "[engine]") {
    const Fault fault("leak:7");
    Bench bench;
    const auto clip = test::clip({.seconds = 0.4});
    bench.run(small_task(6), clip);
    REQUIRE(bench.wait_for_outcome());
    const int before = bench.engine.pid();
    bench.run(small_task(7), clip);
    REQUIRE(bench.wait_for_outcome());
    CHECK(bench.finished);
    CHECK(bench.engine.restarts() == 1);
    CHECK(bench.engine.pid() != before);
    bench.run(small_task(8), clip);  // at once
    REQUIRE(bench.wait_for_outcome());
    CHECK(bench.finished);
    CHECK(bench.engine.restarts() == 1);
    CHECK(bench.ready == 0);
    CHECK(bench.lost.empty());
    REQUIRE(bench.wait_for([&] { return kill(before, 0) < 0; }));  // reaped
}

TEST_CASE("an engine that hangs is replaced when told to stop", "[engine]") {
    const Fault fault("hang:7");
    Bench bench;
    const auto clip = test::clip({.seconds = 0.4});
    bench.run(small_task(7), clip);
    REQUIRE(bench.wait_for([&] { return bench.progress > 0; }));
    bench.engine.stop();
    REQUIRE(bench.wait_for([&] { return bench.ready == 1; }));
    CHECK_FALSE(bench.failed);
    CHECK_FALSE(bench.finished);
    bench.run(small_task(8), clip);
    REQUIRE(bench.wait_for_outcome());
    CHECK(bench.finished);
    CHECK(bench.engine.restarts() == 1);
}

TEST_CASE("an engine that hangs steps back behind the others until it is stopped", "[engine]") {
    const Fault fault("hang:7");
    Bench bench;
    const auto clip = test::clip({.seconds = 0.4});
    bench.run(small_task(6), clip);
    REQUIRE(bench.wait_for_outcome());
    const int pid = bench.engine.pid();
    CHECK(all_nice(pid, 0));
    bench.run(small_task(7), clip);
    CHECK(bench.wait_for([&] { return all_nice(pid, 19); }));
    bench.engine.stop();
    REQUIRE(bench.wait_for([&] { return bench.ready == 1; }));
    bench.run(small_task(8), clip);
    REQUIRE(bench.wait_for_outcome());
    CHECK(bench.finished);
    CHECK(all_nice(bench.engine.pid(), 0));
}

#endif

TEST_CASE("an engine that obeys keeps its process when told to stop", "[engine]") {
    Bench bench;
    bench.run(small_task(), test::clip({.seconds = 0.2}));
    REQUIRE(bench.wait_for_outcome());
    bench.finished.reset();
    bench.engine.begin(small_task());  // and no source: it waits
    bench.engine.stop();
    REQUIRE(bench.wait_for([&] { return bench.ready == 1; }));
    CHECK_FALSE(bench.failed);
    CHECK(bench.engine.restarts() == 0);
    bench.run(small_task(), test::clip({.seconds = 0.2}));
    REQUIRE(bench.wait_for_outcome());
    CHECK(bench.finished);
}

TEST_CASE("an engine that is killed while idle is replaced and says so", "[engine]") {
    Bench bench;
    bench.run(small_task(), test::clip({.seconds = 0.2}));
    REQUIRE(bench.wait_for_outcome());
    kill(bench.engine.pid(), SIGTERM);  // ignored: systemd sends it to the whole group
    kill(bench.engine.pid(), SIGKILL);
    REQUIRE(bench.wait_for([&] { return bench.ready == 1; }));
    CHECK_FALSE(bench.lost.empty());
    bench.run(small_task(), test::clip({.seconds = 0.2}));
    REQUIRE(bench.wait_for_outcome());
    CHECK(bench.finished);
}

TEST_CASE("an engine that breaks the conversation is killed", "[engine]") {
    Bench bench(MILLRACE_BABBLING_CHILD);
    bench.engine.begin(small_task());
    REQUIRE(bench.wait_for_outcome());
    REQUIRE(bench.failed);
    CHECK(bench.death == EngineDeath::crash);
    CHECK(bench.failed->message.find("broke the conversation") != std::string::npos);
}

}  // namespace millrace::engine
