#pragma once
// One engine as the transcoder sees it: a process that takes a task at a time, is started before it
// is needed, and is replaced whenever it dies, misbehaves or does not stop when told.
//
// Promises
// - Every begin() is answered by exactly one on_finished or on_failed, unless stop() came first.
// - After stop(), after a crash and after an engine died idle, on_ready comes exactly once, when
//   the engine (the same or its successor) can take work again. The first start is not announced:
//   begin() may be called at once, and waits for the process if need be. With a GPU it is announced,
//   as that takes seconds, and begin() has to wait.
// - An engine that says it is spent is replaced between two tasks, and nobody needs to know.
// - One whose GPU fails counts as dead. Where none comes up for want of its GPU, on_lost says so each
//   time: somebody has to move it.
// - What the engine says is checked: lengths, order, indices, hashes' presence. One that breaks a
//   rule is killed and counts as crashed; it works on hostile bytes.
// - The source goes to the process block by block without a copy; a rendition arrives in pooled
//   blocks.
//
// Killing at a deadline or after silence is the core's decision: it calls stop(). A task is said to
// be begun (on_progress of nothing) when the engine takes it up.
//
// Thread: loop; callbacks too. It must be the process's main thread or one that lives as long,
// because an engine dies with the thread that started it. A callback may call begin() and stop(),
// but not destroy the EngineProcess. Owner: the transcoder's service, one per slot.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/domain/engine_protocol.h"
#include "common/runtime/loop.h"
#include "common/runtime/payload.h"

namespace millrace::engine {

// Why an engine is gone that nobody told to go.
enum class EngineDeath : std::uint8_t {
    crash,
    memory,
    forbidden_call,
    device,  // its GPU failed it; whether over the task or at the start, the process is no use any more
};

class EngineProcess {
public:
    struct Callbacks {
        std::function<void(const SourceInfo&)> on_probed;
        std::function<void(const EngineProgress&)> on_progress;
        // Complete and with its hash as the engine computed it.
        std::function<void(const RenditionReport&, PayloadPtr)> on_rendition;
        // With the CPU that the process took for it.
        std::function<void(const TranscodeReport&)> on_finished;
        // With a death: the process ended over the task; else it said why and lives on.
        std::function<void(const Error&, std::optional<EngineDeath>)> on_failed;
        std::function<void()> on_ready;
        // The process died while it had no task, or did not come up because of its GPU; `why` is a
        // sentence for the log.
        std::function<void(EngineDeath, const std::string& why)> on_lost;
        // A process is up, and these are its walls; the first one, too.
        std::function<void(const EngineWalls&)> on_walls;
        // Of a task that had a GPU, before its end. May be left out.
        std::function<void(const StagesUsed&)> on_stages = {};
    };

    // Starts the process at once. `executable`: a binary whose main() hands "__engine" to
    // engine_main(); normally our own. `gpu`: the UUID of the one that it has; empty: none. One that
    // does not open it in time counts as one that cannot.
    EngineProcess(Loop& loop, std::shared_ptr<BlockPool> pool, Callbacks callbacks,
                  std::string executable = "/proc/self/exe", std::string gpu = "",
                  Duration opens_within = kOpensWithin);
    ~EngineProcess();  // kills the process
    EngineProcess(const EngineProcess&) = delete;
    EngineProcess& operator=(const EngineProcess&) = delete;

    // Only while no task is running. The source follows by feed() and end_input().
    void begin(const EngineTask& task);
    // The next bytes of the source; kept until they are written.
    void feed(PayloadPtr source);
    void end_input();
    // Less than kQueuedBytesMax of the source wait to be written: a source that is still arriving
    // should be fed only then.
    [[nodiscard]] bool can_feed() const;
    // Ends the running task: by a word if the engine obeys within kObeyWithin, else by kill.
    // Nothing more is said about the task. Without a task: does nothing.
    void stop();

    // Without a task: it gives back at once what memory it keeps for the next one. Else does nothing.
    void give_back_memory();

    // Only while no task is running: another process, with this GPU or none. on_ready follows once it
    // is up; once in all where it was to come anyway.
    void move_to(std::string gpu);

    [[nodiscard]] bool busy() const;
    [[nodiscard]] bool idle() const;  // may begin()
    // For metrics: processes started after the first.
    [[nodiscard]] std::uint64_t restarts() const;
    [[nodiscard]] int pid() const;  // -1 while there is none

    static constexpr std::size_t kQueuedBytesMax = 4 * 1024 * 1024;
    // Counted from when the process is up; one that does not come up gets kUpWithin.
    static constexpr Duration kObeyWithin = std::chrono::milliseconds(500);
    static constexpr Duration kUpWithin = std::chrono::seconds(10);
    // A driver opens its card for one after the other: all engines of a machine have to fit in.
    static constexpr Duration kOpensWithin = std::chrono::seconds(30);
    // Killed, a process that is not gone by then is held by a driver, and left to it.
    static constexpr Duration kDiesWithin = std::chrono::seconds(2);
    // Between attempts to start a process that dies before it is up; doubles up to the maximum.
    static constexpr Duration kRestartPause = std::chrono::milliseconds(100);
    static constexpr Duration kRestartPauseMax = std::chrono::seconds(5);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::engine
