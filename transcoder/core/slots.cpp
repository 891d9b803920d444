#include "transcoder/core/slots.h"

#include <algorithm>
#include <set>

#include "common/base/check.h"

namespace millrace::transcoder {

SlotTable::SlotTable(std::uint32_t slots)
    : limit_(std::clamp<std::uint32_t>(slots, 1, kSlotsMax)), slots_(limit_) {}

std::optional<SlotNo> SlotTable::find(const SlotOwner& owner) const {
    const auto found = by_owner_.find(owner);
    if (found == by_owner_.end())
        return std::nullopt;
    return found->second;
}

std::optional<SlotNo> SlotTable::grant(const SlotOwner& owner, const Cost& cost,
                                       const Preference& preference) {
    MR_CHECK(!find(owner), "a session holds at most one slot");
    if (free() == 0)
        return std::nullopt;
    std::optional<SlotNo> chosen;
    std::pair<std::int64_t, bool> best;
    for (std::uint32_t no = 0; no < slots_.size(); ++no) {
        const Slot& slot = slots_[no];
        const std::pair rank{preference ? preference(slot) : 0, slot.engine == EngineState::ready};
        if (!slot.owner && (!chosen || rank > best)) {
            chosen = SlotNo{no};
            best = rank;
        }
    }
    MR_CHECK(chosen.has_value(), "fewer reserved slots than slots means that one is free");
    Slot& slot = slots_[chosen->value];
    slot.owner = owner;
    slot.cost = cost;
    slot.releasing = false;
    by_owner_[owner] = *chosen;
    return chosen;
}

bool SlotTable::release(SlotNo no) {
    Slot& slot = slots_.at(no.value);
    slot.releasing = true;
    return free_if_empty(slot);
}

bool SlotTable::free_if_empty(Slot& slot) {
    if (!slot.owner || !slot.releasing || !slot.queue.empty())
        return false;
    by_owner_.erase(*slot.owner);
    slot.owner.reset();
    slot.cost = Cost{};
    slot.releasing = false;
    return true;
}

void SlotTable::enqueue(SlotNo no, TaskRef task) {
    Slot& slot = slots_.at(no.value);
    MR_CHECK(slot.owner.has_value(), "tasks queue in granted slots only");
    slot.queue.push_back(task);
}

bool SlotTable::dequeue(SlotNo no, TaskRef task) {
    Slot& slot = slots_.at(no.value);
    std::erase(slot.queue, task);
    return free_if_empty(slot);
}

void SlotTable::resize(std::uint32_t slots) {
    limit_ = std::clamp<std::uint32_t>(slots, 1, kSlotsMax);
    // Numbers above the limit stay valid: an engine may still be at work there, or be on its way
    // back.
    if (slots_.size() < limit_)
        slots_.resize(limit_);
}

std::vector<Seat> SlotTable::seats() const {
    std::vector<Seat> seats;
    for (const Slot& slot : slots_)
        seats.push_back({slot.place, slot.owner.has_value()});
    return seats;
}

std::vector<Place> SlotTable::seated() const {
    std::vector<Place> places;
    for (const Slot& slot : slots_)
        places.push_back(slot.seated);
    return places;
}

std::uint32_t SlotTable::reserved() const {
    return static_cast<std::uint32_t>(by_owner_.size());
}

std::uint32_t SlotTable::free() const {
    const std::uint32_t taken = reserved();
    return taken >= limit_ ? 0 : limit_ - taken;
}

void SlotTable::charge(SlotNo slot, const Cost& cost) {
    if (cost != Cost{})
        slots_.at(slot.value).cost = cost;
}

Cost SlotTable::load() const {
    Cost sum;
    for (const Slot& slot : slots_)
        sum = sum + slot.cost;
    return sum;
}

std::vector<SlotOwner> SlotTable::owners_of(OrchestratorIndex orchestrator) const {
    std::vector<SlotOwner> owners;
    for (const auto& [owner, no] : by_owner_)
        if (owner.orchestrator == orchestrator)
            owners.push_back(owner);
    return owners;
}

void SlotTable::check_invariants() const {
    std::set<SlotOwner> owners;
    std::set<TaskRef> tasks;
    for (std::uint32_t no = 0; no < slots_.size(); ++no) {
        const Slot& slot = slots_[no];
        MR_CHECK(slot.owner || slot.queue.empty(), "a free slot has no tasks");
        MR_CHECK(!slot.releasing || !slot.queue.empty(), "a released slot without tasks is free");
        if (slot.owner) {
            MR_CHECK(owners.insert(*slot.owner).second, "a session holds at most one slot");
            MR_CHECK(find(*slot.owner) == SlotNo{no}, "the index finds the owner's slot");
        }
        for (const TaskRef& task : slot.queue) {
            MR_CHECK(tasks.insert(task).second, "a task stands in one queue once");
            MR_CHECK(task.orchestrator == slot.owner->orchestrator, "tasks belong to the owner");
        }
    }
    MR_CHECK(owners.size() == by_owner_.size(), "the index holds the owners and nobody else");
}

}  // namespace millrace::transcoder
