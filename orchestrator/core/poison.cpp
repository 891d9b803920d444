#include "orchestrator/core/poison.h"

#include <algorithm>

#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {

bool PoisonList::crashed(const Sha256& sha256, TimePoint now) {
    auto found = known_.find(sha256);
    if (found != known_.end() && found->second.until <= now) {
        known_.erase(found);
        found = known_.end();
    }
    if (found == known_.end()) {
        make_room(now);
        found = known_.emplace(sha256, Entry{}).first;
    }
    found->second.crashes += 1;
    found->second.until = now + kPoisonFor;
    return found->second.crashes >= kPoisonCrashes;
}

bool PoisonList::poisoned(const Sha256& sha256, TimePoint now) const {
    const auto found = known_.find(sha256);
    return found != known_.end() && found->second.crashes >= kPoisonCrashes &&
           found->second.until > now;
}

void PoisonList::make_room(TimePoint now) {
    if (known_.size() < kPoisonKnownMax)
        return;
    std::erase_if(known_, [now](const auto& entry) { return entry.second.until <= now; });
    if (known_.size() < kPoisonKnownMax)
        return;
    known_.erase(std::min_element(known_.begin(), known_.end(), [](const auto& a, const auto& b) {
        return a.second.until < b.second.until;
    }));
}

}  // namespace millrace::orchestrator
