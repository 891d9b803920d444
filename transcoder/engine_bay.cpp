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
        default:
            return "crash";
    }
}

}  // namespace

EngineBay::EngineBay(Loop& loop, std::shared_ptr<BlockPool> pool, std::uint32_t slots,
                     EngineEvents& events)
    : loop_(loop), pool_(std::move(pool)), events_(events), berths_(slots) {
    for (std::uint32_t slot = 0; slot < slots; ++slot)
        berths_[slot].process = make_process(SlotNo{slot});
}

EngineBay::~EngineBay() = default;

std::unique_ptr<engine::EngineProcess> EngineBay::make_process(SlotNo slot) {
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
            at(slot).reason = reason_of(*death);
        failed(slot, problem, death.has_value());
    };
    callbacks.on_ready = [this, slot] { ready(slot); };
    callbacks.on_lost = [this, slot](engine::EngineDeath death, const std::string& why) {
        at(slot).reason = reason_of(death);
        events_.engine_lost(slot, why);
    };
    callbacks.on_walls = [this](const EngineWalls& walls) { events_.engine_walled(walls); };
    return std::make_unique<engine::EngineProcess>(loop_, pool_, std::move(callbacks));
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

void EngineBay::stop(SlotNo slot, bool cancelled) {
    Berth& berth = at(slot);
    berth.task.reset();
    berth.reason = cancelled ? "cancelled" : "timeout";
    if (berth.process->busy())
        return berth.process->stop();
    // It ended in the same moment: fit for work, and the core waits to hear so.
    loop_.post([this, slot, alive = std::weak_ptr<bool>(alive_)] {
        if (alive.lock())
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
    events_.engine_rendition(*task, report, std::move(bytes));
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
}

void EngineBay::failed(SlotNo slot, const Error& problem, bool crashed) {
    if (!crashed)
        count_restart(slot, "spent");
    if (const auto task = std::exchange(at(slot).task, {}))
        events_.engine_failed(slot, *task, problem, crashed);
}

void EngineBay::ready(SlotNo slot) {
    count_restart(slot, at(slot).reason);
    events_.engine_ready(slot);
}

}  // namespace millrace::transcoder
