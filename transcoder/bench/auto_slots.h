#pragma once
// `--max-sessions auto`: how many sessions of the default ladder this machine carries, measured once and remembered.
//
// Thread: main, before the loop runs (measure.h).

#include <string>

#include "transcoder/bench/cache.h"
#include "transcoder/bench/measure.h"

namespace millrace::bench {

// Where it is remembered: <data-dir>/bench.json.
class Memory {
public:
    virtual ~Memory() = default;
    [[nodiscard]] virtual std::string load() const = 0;  // empty: nothing
    virtual void save(const std::string& text) = 0;
};

// Seconds: short segments of a clip made here, and few of them. timeout: a signal ended it; device: a GPU failed
// meanwhile; anything else: it could not be measured, and why.
[[nodiscard]] Result<Measured> auto_slots(const MachineFacts& facts, const CourseOptions& course,
                                          Memory& memory);

}  // namespace millrace::bench
