#pragma once
// How much private memory an engine may have for a task: what the renditions of its ladder need at their
// full size, by what encoders were seen to take, and never less than any small task gets.
//
// Thread: any; a pure function.

#include <cstdint>

#include "common/domain/rendition.h"

namespace millrace::engine {

// Plenty for ladders up to 1080p: a segment that wants more is hostile.
inline constexpr std::uint64_t kMemoryBytes = 1024ULL * 1024 * 1024;
// Whatever the ladder asks: eight renditions of 4096x2304 with a long lookahead get no more.
inline constexpr std::uint64_t kMemoryBytesMax = 4 * kMemoryBytes;

// Beside that, for what a GPU's driver takes of the machine's memory: a guess, no card was there to ask.
inline constexpr std::uint64_t kMemoryBytesOfDriver = kMemoryBytes;

// kMemoryBytes..kMemoryBytesMax.
[[nodiscard]] std::uint64_t memory_for(const Ladder& ladder);

}  // namespace millrace::engine
