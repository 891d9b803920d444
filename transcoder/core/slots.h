#pragma once
// SlotTable: who holds which slot, which tasks queue in it, and whether its engine can take work.
//
// Rules
// - A slot belongs to one session of one orchestrator, from grant to release; a session holds at
//   most one slot here.
// - No grant while `reserved >= slots`, also after the number of slots was lowered: running work is
//   never cut, the surplus drains by itself.
// - A session that costs more than was thought keeps its slot; the next one is refused.
// - A released slot is freed once its queue is empty.
// - The queue is served in dispatch order: its head runs, or is being received, the others wait.
//
// Thread: transcoder loop. Owner: TranscoderCore. Clock: none.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "common/domain/capacity.h"
#include "transcoder/core/gpu_board.h"
#include "transcoder/core/transcoder_core.h"

namespace millrace::transcoder {

struct SlotOwner {
    OrchestratorIndex orchestrator;
    SessionId session;
    auto operator<=>(const SlotOwner&) const = default;
};

// `replacing`: stopped or crashed, until the shell says engine_ready.
enum class EngineState : std::uint8_t { ready, busy, replacing };

struct Slot {
    std::optional<SlotOwner> owner;
    Cost cost;
    bool releasing = false;
    std::deque<TaskRef> queue;  // receiving, waiting, running; the head is the one that runs
    EngineState engine = EngineState::ready;
    Place place;   // where its sessions belong
    Place seated;  // where its engine is, or comes up
};

class SlotTable {
public:
    explicit SlotTable(std::uint32_t slots);

    // The slot a session holds, released or not.
    [[nodiscard]] std::optional<SlotNo> find(const SlotOwner& owner) const;
    [[nodiscard]] const Slot& at(SlotNo slot) const { return slots_.at(slot.value); }
    [[nodiscard]] bool valid(SlotNo slot) const { return slot.value < slots_.size(); }

    // More is better.
    using Preference = std::function<std::int64_t(const Slot&)>;
    // A free slot for this session: the preferred ones, of these those with a ready engine; nothing when
    // all are taken.
    std::optional<SlotNo> grant(const SlotOwner& owner, const Cost& cost,
                                const Preference& preference = {});
    // The session asked again for what it had released or still holds.
    void keep(SlotNo slot) { slots_.at(slot.value).releasing = false; }
    // What the session turned out to cost, whether or not there is room for it: who holds a slot keeps
    // it. All zero = not known, the old figure stays.
    void charge(SlotNo slot, const Cost& cost);
    // True when the slot became free at once.
    bool release(SlotNo slot);

    void enqueue(SlotNo slot, TaskRef task);
    // Takes a task out of its slot's queue, if it is there; true when that freed the slot.
    bool dequeue(SlotNo slot, TaskRef task);
    void set_engine(SlotNo slot, EngineState state) { slots_.at(slot.value).engine = state; }

    void place(SlotNo slot, Place where) { slots_.at(slot.value).place = where; }
    void seat(SlotNo slot, Place where) { slots_.at(slot.value).seated = where; }
    [[nodiscard]] std::vector<Seat> seats() const;
    [[nodiscard]] std::vector<Place> seated() const;

    void resize(std::uint32_t slots);
    // Of the slots there are, those that may be granted; also none.
    void offer(std::uint32_t slots) { limit_ = slots; }
    [[nodiscard]] std::uint32_t size() const { return limit_; }
    [[nodiscard]] std::uint32_t reserved() const;
    [[nodiscard]] std::uint32_t free() const;
    [[nodiscard]] Cost load() const;
    [[nodiscard]] std::vector<SlotOwner> owners_of(OrchestratorIndex orchestrator) const;
    // Slots in use or offered: SlotNo 0 .. count-1. More than size() while a surplus drains.
    [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(slots_.size()); }

    void check_invariants() const;

private:
    bool free_if_empty(Slot& slot);

    std::uint32_t limit_;
    std::vector<Slot> slots_;
    std::map<SlotOwner, SlotNo> by_owner_;
};

}  // namespace millrace::transcoder
