#include "transcoder/engine_bay.h"

#include <utility>

#include "transcoder/engine/engine_process.h"

namespace millrace::transcoder {
namespace {

std::string_view reason_of(engine::EngineDeath death) {
    switch (death) {
        case engine::EngineDeath::memory:
            return "memory";
        case engine::EngineDeath::forbidden_call:
            return "forbidden_call";
        case engine::EngineDeath::device:
            return "device";
        default:
            return "crash";
    }
}

}  // namespace

EngineBay::EngineBay(Loop& loop, std::shared_ptr<BlockPool> pool,
                     const std::vector<std::string>& gpus, EngineEvents& events)
    : loop_(loop),
      pool_(std::move(pool)),
      events_(events),
      berths_(gpus.size()),
      memory_(loop, [this] { save_memory(); }) {
    for (std::uint32_t slot = 0; slot < gpus.size(); ++slot)
        berths_[slot].process = make_process(SlotNo{slot}, gpus[slot]);
}

EngineBay::~EngineBay() = default;

void EngineBay::died(SlotNo slot, engine::EngineDeath death) {
    at(slot).reason = reason_of(death);
    at(slot).going = true;
}

std::unique_ptr<engine::EngineProcess> EngineBay::make_process(SlotNo slot,
                                                               const std::string& gpu) {
    engine::EngineProcess::Callbacks callbacks;
    callbacks.on_probed = [this, slot](const SourceInfo& source) { probed(slot, source); };
    callbacks.on_progress = [this, slot](const EngineProgress& progress) {
        progressed(slot, progress);
    };
    callbacks.on_rendition = [this, slot](const RenditionReport& report, PayloadPtr bytes) {
        made(slot, report, std::move(bytes));
    };
    callbacks.on_finished = [this, slot](const TranscodeReport& report) { finished(slot, report); };
    callbacks.on_failed = [this, slot](const Error& problem,
                                       std::optional<engine::EngineDeath> death) {
        if (death)
            died(slot, *death);
        failed(slot, problem, death.has_value());
    };
    callbacks.on_ready = [this, slot] { ready(slot); };
    callbacks.on_lost = [this, slot](engine::EngineDeath death, const std::string& why) {
        died(slot, death);
        events_.engine_lost(slot, why, death == engine::EngineDeath::device);
    };
    callbacks.on_walls = [this](const EngineWalls& walls) { events_.engine_walled(walls); };
    callbacks.on_stages = [this, slot](const StagesUsed& stages) {
        if (const auto task = at(slot).task)
            events_.engine_stages(*task, stages);
    };
    return std::make_unique<engine::EngineProcess>(loop_, pool_, std::move(callbacks),
                                                   "/proc/self/exe", gpu);
}

void EngineBay::start(SlotNo slot, TaskRef task, const EngineTask& what) {
    Berth& berth = at(slot);
    berth.task = task;
    berth.done = berth.total = Duration{0};
    berth.frames = 0;
    berth.process->begin(what);
}

void EngineBay::feed(SlotNo slot, TaskRef task, PayloadPtr piece) {
    if (piece != nullptr && at(slot).task == task)
        at(slot).process->feed(std::move(piece));
}

void EngineBay::end_input(SlotNo slot, TaskRef task) {
    if (at(slot).task == task)
        at(slot).process->end_input();
}

void EngineBay::seat(SlotNo slot, const std::string& gpu) {
    if (!at(slot).going)
        at(slot).reason = "moved";
    at(slot).process->move_to(gpu);
}

void EngineBay::stop(SlotNo slot, bool cancelled) {
    Berth& berth = at(slot);
    berth.task.reset();
    berth.reason = cancelled ? "cancelled" : "timeout";
    berth.going = true;
    if (berth.process->busy())
        return berth.process->stop();
    // It ended in the same moment: fit for work, and the core waits to hear so.
    loop_.post([this, slot, alive = std::weak_ptr<bool>(alive_)] {
        if (alive.lock() && at(slot).process->idle())  // else it was moved, and says so itself
            events_.engine_ready(slot);
    });
}

void EngineBay::tell_progress(SlotNo slot) {
    const Berth& berth = at(slot);
    if (berth.task)
        events_.engine_progress(slot, *berth.task, berth.done, berth.total, berth.frames);
}

void EngineBay::probed(SlotNo slot, const SourceInfo& source) {
    at(slot).total = source.duration;
    tell_progress(slot);
}

void EngineBay::progressed(SlotNo slot, const EngineProgress& progress) {
    at(slot).done = progress.media_done;
    at(slot).frames = progress.frames;
    tell_progress(slot);
}

void EngineBay::made(SlotNo slot, const RenditionReport& report, PayloadPtr bytes) {
    const auto task = at(slot).task;
    if (!task)
        return;
    events_.engine_rendition(slot, *task, report, std::move(bytes));
    tell_progress(slot);
}

void EngineBay::count_restart(SlotNo slot, std::string_view reason) {
    const std::uint64_t restarts = at(slot).process->restarts();
    if (std::exchange(at(slot).restarts_seen, restarts) != restarts)
        events_.engine_restarted(reason);
}

void EngineBay::finished(SlotNo slot, const TranscodeReport& report) {
    count_restart(slot, "spent");
    if (const auto task = std::exchange(at(slot).task, {}))
        events_.engine_finished(slot, *task, report);
    save_memory(slot);
}

void EngineBay::failed(SlotNo slot, const Error& problem, bool crashed) {
    if (!crashed)
        count_restart(slot, "spent");
    if (const auto task = std::exchange(at(slot).task, {}))
        events_.engine_failed(slot, *task, problem, crashed);
    save_memory(slot);
}

void EngineBay::save_memory() {
    for (std::uint32_t slot = 0; slot < berths_.size(); ++slot)
        save_memory(SlotNo{slot});
}

// Its next task may have begun in the meantime.
void EngineBay::save_memory(SlotNo slot) {
    if (memory_.is_short() && at(slot).process->idle())
        at(slot).process->give_back_memory();
}

void EngineBay::ready(SlotNo slot) {
    count_restart(slot, at(slot).reason);
    at(slot).going = false;
    events_.engine_ready(slot);
    save_memory(slot);  // the same process, where it obeyed
}

}  // namespace millrace::transcoder
