#pragma once
// TimerSet: one absolute time per key, the earliest at hand. Setting a key again moves its time.
//
// Equal times come out in the order of the keys, so that a run can be replayed.
// Thread: orchestrator loop. Cost: O(log keys) per call.

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "common/base/time.h"

namespace millrace::orchestrator {

template <class Key>
class TimerSet {
public:
    // Nothing as a time cancels.
    void set(const Key& key, std::optional<TimePoint> at) {
        const auto found = at_.find(key);
        if (found != at_.end()) {
            if (found->second == at)
                return;
            order_.erase({found->second, key});
            if (!at) {
                at_.erase(found);
                return;
            }
            found->second = *at;
        } else if (at) {
            at_.emplace(key, *at);
        } else {
            return;
        }
        order_.insert({*at, key});
    }
    void cancel(const Key& key) { set(key, std::nullopt); }

    [[nodiscard]] std::optional<TimePoint> next() const {
        if (order_.empty())
            return std::nullopt;
        return order_.begin()->first;
    }
    // Takes out the earliest key that is due.
    [[nodiscard]] std::optional<Key> take_due(TimePoint now) {
        if (order_.empty() || order_.begin()->first > now)
            return std::nullopt;
        const Key key = order_.begin()->second;
        order_.erase(order_.begin());
        at_.erase(key);
        return key;
    }
    [[nodiscard]] std::optional<TimePoint> at(const Key& key) const {
        const auto found = at_.find(key);
        if (found == at_.end())
            return std::nullopt;
        return found->second;
    }

private:
    std::map<Key, TimePoint> at_;
    std::set<std::pair<TimePoint, Key>> order_;
};

}  // namespace millrace::orchestrator
