#include "transcoder/engine/held_memory.h"

#include <limits>

#include <malloc.h>

#include "transcoder/engine/sanitized.h"

// GCC has it, but not the header it is declared in.
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();

namespace millrace::engine {

std::size_t held_bytes() {
    if constexpr (kSanitized)
        return __sanitizer_get_current_allocated_bytes();
    const struct mallinfo2 books = mallinfo2();
    return books.uordblks + books.hblkhd;
}

void keep_freed_memory() {
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 32 * 1024 * 1024);
    mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
}

void release_freed_memory() {
    malloc_trim(0);
}

}  // namespace millrace::engine
