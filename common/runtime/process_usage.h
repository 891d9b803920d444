#pragma once
// What a process of this machine has used so far, as the kernel counts it. Zero once it is gone.
//
// Thread: any.

#include <cstdint>

#include <sys/types.h>

#include "common/base/time.h"

namespace millrace {

// By all its threads, user and system.
[[nodiscard]] Duration cpu_time_of(pid_t process);
// Resident bytes at its highest (VmHWM).
[[nodiscard]] std::uint64_t peak_memory_of(pid_t process);

}  // namespace millrace
