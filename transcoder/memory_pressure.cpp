#include "transcoder/memory_pressure.h"

namespace millrace::transcoder {

bool MemoryPressure::told(const MemoryReading& reading, TimePoint now) {
    const double left = reading.left.value_or(1);
    const double waiting = reading.waiting.value_or(0);
    if (!short_) {
        short_ = left < kShort || waiting > kWaits;
        calm_since_.reset();
        return short_;
    }
    if (left < kEnough || waiting > kHardlyWaits) {
        calm_since_.reset();
        return false;
    }
    if (!calm_since_)
        calm_since_ = now;
    short_ = now - *calm_since_ < kCalm;
    return !short_;
}

}  // namespace millrace::transcoder
