#include "orchestrator/core/task_table.h"

#include <algorithm>

namespace millrace::orchestrator {

Attempt* Task::attempt(AttemptNo no) {
    const auto found =
        std::find_if(live.begin(), live.end(), [no](const Attempt& a) { return a.no == no; });
    return found == live.end() ? nullptr : &*found;
}

bool Task::has_tried(const Transcoder& t, Verdict at_least) const {
    const auto found = tried.find(t.no);
    return found != tried.end() && found->second >= at_least;
}

void Task::learned(const Transcoder& t, Verdict verdict) {
    Verdict& known = tried.emplace(t.no, verdict).first->second;
    known = std::max(known, verdict);
}

Task& TaskTable::add(TaskId id, Session& session, const SegmentKey& segment) {
    Task& task = tasks_[id];
    task.id = id;
    task.session = &session;
    task.segment = segment;
    return task;
}

Task* TaskTable::find(TaskId id) {
    const auto found = tasks_.find(id);
    return found == tasks_.end() ? nullptr : &found->second;
}

}  // namespace millrace::orchestrator
