#pragma once
// CPU time of this thread spent in a scope, added to a sum in microseconds. Threads that a codec
// starts inside are not seen; with `threads` = 1 there are none.
//
// Thread: any; measures its own.

#include <cstdint>
#include <ctime>

namespace millrace::media {

class CpuTimer {
public:
    explicit CpuTimer(std::int64_t& sum_us) : sum_us_(sum_us), started_us_(now_us()) {}
    ~CpuTimer() { sum_us_ += now_us() - started_us_; }
    CpuTimer(const CpuTimer&) = delete;
    CpuTimer& operator=(const CpuTimer&) = delete;

private:
    static std::int64_t now_us() {
        timespec now{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
    }

    std::int64_t& sum_us_;
    std::int64_t started_us_;
};

}  // namespace millrace::media
