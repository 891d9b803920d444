#pragma once
// Standstill: which engine keeps a core busy without getting on, and has to step back behind its neighbours?
//
// Time alone cannot tell: an engine may wait for its source, or on a full machine for a core. One that used kPatience
// of CPU within at least kPatience of time and made no picture of it does fewer than four a second with a core of its
// own: it loops, or its segment is no work for real time.
//
// Thread: its owner's. Owner: EngineProcess.

#include "common/base/time.h"
#include "transcoder/engine/sanitized.h"

namespace millrace::engine {

class Standstill {
public:
    // Sanitizers make a picture some times as dear.
    static constexpr Duration kPatience = std::chrono::milliseconds(kSanitized ? 1000 : 250);

    // The engine took up its task, or said something: all counts from here. `cpu`: what it has used in its life.
    void moved(TimePoint now, Duration cpu) {
        since_ = now;
        cpu_ = cpu;
    }
    [[nodiscard]] bool lasts(TimePoint now, Duration cpu) const {
        return now - since_ >= kPatience && cpu - cpu_ >= kPatience;
    }

private:
    TimePoint since_;
    Duration cpu_{};
};

}  // namespace millrace::engine
