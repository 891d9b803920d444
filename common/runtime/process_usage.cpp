#include "common/runtime/process_usage.h"

#include <chrono>
#include <ctime>
#include <fstream>
#include <string>

namespace millrace {

Duration cpu_time_of(pid_t process) {
    clockid_t clock{};
    timespec used{};
    // Of process 0 the kernel takes ourselves.
    if (process <= 0 || clock_getcpuclockid(process, &clock) != 0 ||
        clock_gettime(clock, &used) != 0)
        return Duration::zero();
    return std::chrono::duration_cast<Duration>(std::chrono::seconds(used.tv_sec) +
                                                std::chrono::nanoseconds(used.tv_nsec));
}

std::uint64_t peak_memory_of(pid_t process) {
    constexpr std::string_view kPeak = "VmHWM:";  // in KiB
    std::ifstream status("/proc/" + std::to_string(process) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(kPeak))
            return std::stoull(line.substr(kPeak.size())) * 1024;
    return 0;
}

}  // namespace millrace
