#include "transcoder/core/tasks.h"

#include <algorithm>

#include "common/base/check.h"

namespace millrace::transcoder {
namespace {

constexpr Duration kDeadlineMin = std::chrono::seconds(4);
constexpr Duration kDeadlineMax = std::chrono::seconds(30);
constexpr Duration kDurationAssumed = std::chrono::seconds(4);
constexpr int kDeadlineFactor = 3;  // durations

}  // namespace

Duration deadline_for(Duration segment) {
    const Duration known = segment > Duration{0} ? segment : kDurationAssumed;
    return std::clamp(std::min(known, kDeadlineMax) * kDeadlineFactor, kDeadlineMin, kDeadlineMax);
}

TimePoint deadline_after(TimePoint now, std::int64_t left_ms) {
    constexpr std::int64_t kLeftMax = to_ms(kDeadlineMax);
    return now + std::chrono::milliseconds(std::clamp<std::int64_t>(left_ms, 0, kLeftMax));
}

TimePoint open_deadline_after(TimePoint now, std::int64_t left_ms) {
    constexpr std::int64_t kLeftMax = to_ms(std::chrono::hours(24));
    return now + std::chrono::milliseconds(std::clamp<std::int64_t>(left_ms, 0, kLeftMax));
}

bool TaskTable::known(TaskRef ref) const {
    return tasks_.contains(ref) || std::find(ended_.begin(), ended_.end(), ref) != ended_.end();
}

Task* TaskTable::find(TaskRef ref) {
    const auto found = tasks_.find(ref);
    return found == tasks_.end() ? nullptr : &found->second;
}

const Task* TaskTable::find(TaskRef ref) const {
    const auto found = tasks_.find(ref);
    return found == tasks_.end() ? nullptr : &found->second;
}

Task& TaskTable::add(TaskRef ref) {
    const auto [place, added] = tasks_.try_emplace(ref);
    MR_CHECK(added, "a task is added once");
    place->second.ref = ref;
    return place->second;
}

void TaskTable::end(TaskRef ref) {
    MR_CHECK(tasks_.erase(ref) == 1, "only a held task can end");
    ended_.push_back(ref);
    if (ended_.size() > kEndedRemembered)
        ended_.pop_front();
}

std::vector<TaskRef> TaskTable::of(OrchestratorIndex orchestrator) const {
    std::vector<TaskRef> refs;
    for (const auto& [ref, task] : tasks_)
        if (ref.orchestrator == orchestrator)
            refs.push_back(ref);
    return refs;
}

std::size_t TaskTable::in_slot(SlotNo slot) const {
    return static_cast<std::size_t>(
        std::count_if(tasks_.begin(), tasks_.end(),
                      [&](const auto& entry) { return entry.second.slot == slot; }));
}

std::size_t TaskTable::count(TaskStage stage) const {
    return static_cast<std::size_t>(
        std::count_if(tasks_.begin(), tasks_.end(),
                      [&](const auto& entry) { return entry.second.stage == stage; }));
}

void TaskTable::forget_ended(OrchestratorIndex orchestrator) {
    std::erase_if(ended_, [&](const TaskRef& ref) { return ref.orchestrator == orchestrator; });
}

}  // namespace millrace::transcoder
