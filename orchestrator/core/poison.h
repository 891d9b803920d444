#pragma once
// PoisonList: fingerprints of segments that crash or hang engines. Twice on the same bytes and they
// are refused for ten minutes, so that one broadcaster's segment costs at most two engines.
//
// Bounded: beyond kPoisonKnownMax the one that would be forgotten first goes.
// Thread: orchestrator loop. Clock: none.

#include <cstdint>
#include <map>

#include "common/base/ids.h"
#include "common/base/time.h"

namespace millrace::orchestrator {

class PoisonList {
public:
    // An engine crashed or hung on these bytes. True when they are poison from now on.
    bool crashed(const Sha256& sha256, TimePoint now);
    [[nodiscard]] bool poisoned(const Sha256& sha256, TimePoint now) const;
    [[nodiscard]] std::size_t size() const { return known_.size(); }

private:
    struct Entry {
        std::uint32_t crashes = 0;
        TimePoint until;
    };
    void make_room(TimePoint now);

    std::map<Sha256, Entry> known_;
};

}  // namespace millrace::orchestrator
