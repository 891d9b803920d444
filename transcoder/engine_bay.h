#pragma once
// EngineBay: one engine process per slot, started before it is needed. Ties an engine's words to
// the task its slot is at, and counts why engines had to be replaced. While memory is short, engines
// without a task give back at once what they would keep for the next one.
//
// Thread: loop, which must be the process's main thread (engines die with the thread that started
// them). Owner: the service.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/domain/engine_protocol.h"
#include "common/runtime/loop.h"
#include "common/runtime/payload.h"
#include "transcoder/core/transcoder_core.h"
#include "transcoder/memory_watch.h"

namespace millrace::engine {
class EngineProcess;
enum class EngineDeath : std::uint8_t;
}  // namespace millrace::engine

namespace millrace::transcoder {

// What engines tell; the service implements it.
class EngineEvents {
public:
    virtual ~EngineEvents() = default;
    virtual void engine_progress(SlotNo slot, TaskRef task, Duration done, Duration total,
                                 std::int64_t frames) = 0;
    virtual void engine_rendition(SlotNo slot, TaskRef task, const RenditionReport& report,
                                  PayloadPtr bytes) = 0;
    virtual void engine_finished(SlotNo slot, TaskRef task, const TranscodeReport& report) = 0;
    virtual void engine_failed(SlotNo slot, TaskRef task, const Error& problem, bool crashed) = 0;
    // `device`: its GPU failed it, or cannot be opened; it comes up when it was moved, or tries again.
    virtual void engine_lost(SlotNo slot, const std::string& why, bool device) = 0;
    // Of a task that might have used a GPU, before engine_finished.
    virtual void engine_stages(TaskRef task, const StagesUsed& stages) = 0;
    virtual void engine_ready(SlotNo slot) = 0;
    // Counted once the new process is up. `reason`: crash, memory, forbidden_call, device, moved, timeout,
    // cancelled; spent (it held too much memory between tasks) at once.
    virtual void engine_restarted(std::string_view reason) = 0;
    // A process came up behind these walls.
    virtual void engine_walled(const EngineWalls& walls) = 0;
};

class EngineBay {
public:
    // `gpus`: for each slot the UUID of the GPU that its engine has; empty: none.
    EngineBay(Loop& loop, std::shared_ptr<BlockPool> pool, const std::vector<std::string>& gpus,
              EngineEvents& events);
    ~EngineBay();
    EngineBay(const EngineBay&) = delete;
    EngineBay& operator=(const EngineBay&) = delete;

    void start(SlotNo slot, TaskRef task, const EngineTask& what);
    // More of its source; null is nothing. Passed over when the slot is not at this task any more.
    void feed(SlotNo slot, TaskRef task, PayloadPtr piece);
    void end_input(SlotNo slot, TaskRef task);
    // engine_ready follows.
    void seat(SlotNo slot, const std::string& gpu);
    // engine_ready follows. `cancelled`: nobody wants the task any more; else its time was up.
    void stop(SlotNo slot, bool cancelled);

private:
    struct Berth {
        std::unique_ptr<engine::EngineProcess> process;
        std::optional<TaskRef> task;
        Duration done{0};
        Duration total{0};
        std::int64_t frames = 0;
        std::string_view reason = "crash";  // why a restart would be
        bool going = false;                 // for that reason; its successor is not up
        std::uint64_t restarts_seen = 0;
    };

    [[nodiscard]] std::unique_ptr<engine::EngineProcess> make_process(SlotNo slot,
                                                                      const std::string& gpu);
    void died(SlotNo slot, engine::EngineDeath death);
    [[nodiscard]] Berth& at(SlotNo slot) { return berths_.at(slot.value); }
    void probed(SlotNo slot, const SourceInfo& source);
    void progressed(SlotNo slot, const EngineProgress& progress);
    void made(SlotNo slot, const RenditionReport& report, PayloadPtr bytes);
    void finished(SlotNo slot, const TranscodeReport& report);
    void failed(SlotNo slot, const Error& problem, bool crashed);
    void ready(SlotNo slot);
    void tell_progress(SlotNo slot);
    void save_memory();
    void save_memory(SlotNo slot);
    void count_restart(SlotNo slot, std::string_view reason);

    Loop& loop_;
    std::shared_ptr<BlockPool> pool_;
    EngineEvents& events_;
    std::vector<Berth> berths_;
    MemoryWatch memory_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace millrace::transcoder
