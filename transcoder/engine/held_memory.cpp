#include "transcoder/engine/held_memory.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>

#include <malloc.h>

#include "transcoder/engine/large_blocks.h"
#include "transcoder/engine/sanitized.h"

// GCC has it, but not the header it is declared in.
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();

namespace millrace::engine {
namespace {

constinit LargeBlocks large_blocks;
constinit std::atomic<bool> large_blocks_kept{false};  // from then on for ever

}  // namespace

std::size_t held_bytes() {
    if constexpr (kSanitized)
        return __sanitizer_get_current_allocated_bytes();
    const struct mallinfo2 books = mallinfo2();
    return books.uordblks + books.hblkhd + large_blocks.used();
}

void keep_freed_memory() {
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 32 * 1024 * 1024);
    mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
    large_blocks_kept = true;
}

void forget_unused_memory() {
    large_blocks.shrink();
}

void release_freed_memory() {
    large_blocks.release();
    malloc_trim(0);
}

}  // namespace millrace::engine

#ifndef MILLRACE_SANITIZED

// malloc's functions for everybody in this process, libraries too: what codecs ask for aligned (libx264 by memalign,
// libav by posix_memalign) comes from large_blocks when it is large, everything else from glibc under its own names.
// What glibc allocates for itself never comes here. malloc_usable_size and reallocarray are glibc's and must not be
// called with such a block; no library of FFmpeg's does (looked up in their symbols).

using millrace::engine::large_blocks;
using millrace::engine::large_blocks_kept;
using millrace::engine::LargeBlocks;

extern "C" {

void __libc_free(void* block);
void* __libc_malloc(std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

}  // extern "C"

namespace {

bool is_large(std::size_t bytes) {
    return bytes >= LargeBlocks::kLeast && large_blocks_kept.load(std::memory_order_relaxed);
}

// Large blocks begin with a page; hardly anything of malloc's does.
bool may_be_large(const void* block) {
    return reinterpret_cast<std::uintptr_t>(block) % 4096 == 0 &&
           large_blocks_kept.load(std::memory_order_relaxed);
}

}  // namespace

extern "C" {

void free(void* block) noexcept {
    if (!may_be_large(block) || !large_blocks.give_back(block))
        __libc_free(block);
}

void* realloc(void* block, std::size_t bytes) noexcept {
    const std::size_t had = may_be_large(block) ? large_blocks.bytes_of(block) : 0;
    if (had == 0)
        return __libc_realloc(block, bytes);
    void* const moved = bytes > 0 ? __libc_malloc(bytes) : nullptr;
    if (moved != nullptr)
        std::memcpy(moved, block, std::min(had, bytes));
    if (moved != nullptr || bytes == 0)
        large_blocks.give_back(block);
    return moved;
}

void* memalign(std::size_t alignment, std::size_t bytes) noexcept {
    void* const block = is_large(bytes) ? large_blocks.take(alignment, bytes) : nullptr;
    return block != nullptr ? block : __libc_memalign(alignment, bytes);
}

int posix_memalign(void** out, std::size_t alignment, std::size_t bytes) noexcept {
    if (alignment % sizeof(void*) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0)
        return EINVAL;
    void* const block = memalign(alignment, bytes);
    if (block == nullptr)
        return ENOMEM;
    *out = block;
    return 0;
}

}  // extern "C"

#endif
