#pragma once
// MemoryWatch: looks every second whether memory is short, and says when that changes.
//
// Thread: loop. Owner: EngineBay.

#include <chrono>
#include <functional>

#include "common/runtime/loop.h"
#include "transcoder/memory_pressure.h"

namespace millrace::transcoder {

class MemoryWatch {
public:
    static constexpr Duration kEvery = std::chrono::seconds(1);

    // `changed` is called on the loop: ask is_short(). `read`: read_memory(), but for tests.
    using Read = std::function<MemoryReading()>;
    MemoryWatch(Loop& loop, std::function<void()> changed, Read read = {}, Duration every = kEvery);
    [[nodiscard]] bool is_short() const { return pressure_.is_short(); }

private:
    void look();

    Loop& loop_;
    std::function<void()> changed_;
    Read read_;
    Duration every_;
    MemoryPressure pressure_;
    Timer next_;
};

}  // namespace millrace::transcoder
