#pragma once
// What the kernel says of memory: /proc/meminfo, and of the control groups (version 2) that this process is in, from its own
// up to the root, how much they may have and do have, less what files only occupy until somebody else wants it; and how long
// somebody in ours waited for some (PSI; of the machine, where groups have none).
//
// A few small files, tens of microseconds. What is not there is left out.
//
// Thread: any.

#include <string>

#include "transcoder/memory_pressure.h"

namespace millrace::transcoder {

// `root`: where /proc and /sys are, for tests.
[[nodiscard]] MemoryReading read_memory(const std::string& root = "");

}  // namespace millrace::transcoder
