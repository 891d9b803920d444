#pragma once
// Planted faults for tests: MILLRACE_ENGINE_FAULT=segv|hang|hog|exit|call|leak (a segmentation fault, an
// endless loop, all memory, an exit, a forbidden system call, memory kept past the task), or with ":SEQ" behind it for one
// segment only. Read in builds with MILLRACE_FAULT_HOOKS and nowhere else.
//
// Thread: the engine's working thread.

#include <cstdint>

namespace millrace::engine {

// Called when a task has shown its first progress; does not return if its fault is planted, but for a leak.
void planted_fault(std::uint64_t seq);

}  // namespace millrace::engine
