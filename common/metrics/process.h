#pragma once
// What every Prometheus client says of its own process (process_*). Internal to common/metrics.

#include <string>

namespace millrace::metrics {

// Families process_cpu_seconds_total, process_resident_memory_bytes, process_virtual_memory_bytes,
// process_open_fds, process_max_fds, process_threads, process_start_time_seconds, read from /proc now.
// What cannot be read is left out.
[[nodiscard]] std::string process_exposition();

}  // namespace millrace::metrics
