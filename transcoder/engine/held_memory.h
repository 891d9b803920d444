#pragma once
// What an engine still holds between two tasks, and giving back what it only keeps.
//
// Libraries leak (libx265 3.5 some kilobytes of each encoder it had): an engine that holds too much when
// it has nothing to do says so, and is replaced.
//
// Thread: any.

#include <cstddef>

namespace millrace::engine {

// Between tasks an engine holds some megabytes of tables. One in sixteen of what it may use.
inline constexpr std::size_t kHeldBytesMax = 64UL * 1024 * 1024;

// Bytes that were allocated and not freed, by the allocator's own books.
[[nodiscard]] std::size_t held_bytes();

// From now on what is freed stays in the process, for the next segment: each opens its encoders anew
// and gives back all they had, some 100 MB at 720p, whose pages would have to be mapped again. Pictures
// are kept block by block (large_blocks.h; not in sanitized builds), the rest by malloc. One arena,
// whoever frees: threads come and go with segments, and each would keep its own.
void keep_freed_memory();

// After each task: of the pictures, those that neither it nor the one before had any use for are given back.
void forget_unused_memory();

// Gives back to the machine what was kept; the next segment pays for it.
void release_freed_memory();

}  // namespace millrace::engine
