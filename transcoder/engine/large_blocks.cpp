#include "transcoder/engine/large_blocks.h"

#include <algorithm>
#include <cstdint>

#include <sys/mman.h>

namespace millrace::engine {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kHugePage = 2UL * 1024 * 1024;
// A huge page that is used to so much is worth it: the luma of 1080p is 7/8 of one and a little more.
constexpr std::size_t kWorthIt = kHugePage / 8 * 7;

// Pages that are whole, and huge ones where they nearly are.
std::size_t whole_pages(std::size_t bytes) {
    const std::size_t page = bytes % kHugePage >= kWorthIt ? kHugePage : kPage;
    return (bytes + page - 1) / page * page;
}

bool is_aligned(const std::byte* at, std::size_t alignment) {
    return reinterpret_cast<std::uintptr_t>(at) % alignment == 0;
}

}  // namespace

void* LargeBlocks::take(std::size_t alignment, std::size_t bytes) {
    if (bytes > SIZE_MAX / 4 || alignment > SIZE_MAX / 4)
        return nullptr;
    bytes = whole_pages(bytes);
    if (bytes >= kHugePage)
        alignment = std::max(alignment, kHugePage);
    const std::lock_guard lock(mutex_);
    Block* block = find_free(alignment, bytes);
    if (block != nullptr) {
        kept_ -= bytes;
    } else {
        if (count_ == kBlocksMax)
            return nullptr;
        std::byte* at = map(alignment, bytes);
        if (at == nullptr && kept_ > 0) {
            unmap_free([](const Block&) { return true; });
            at = map(alignment, bytes);
        }
        if (at == nullptr)
            return nullptr;
        block = &blocks_[count_++];
        *block = {at, bytes};
    }
    used_ += bytes;
    block->used = true;
    block->idle = false;
    return block->at;
}

bool LargeBlocks::give_back(void* at) {
    const std::lock_guard lock(mutex_);
    Block* const block = find(at);
    if (block == nullptr)
        return false;
    block->used = false;
    used_ -= block->bytes;
    kept_ += block->bytes;
    if (kept_ > kKeptMax)
        unmap(*block);
    return true;
}

std::size_t LargeBlocks::bytes_of(const void* at) {
    const std::lock_guard lock(mutex_);
    const Block* const block = find(at);
    return block != nullptr ? block->bytes : 0;
}

void LargeBlocks::shrink() {
    const std::lock_guard lock(mutex_);
    unmap_free([](const Block& block) { return block.idle; });
    for (std::size_t n = 0; n < count_; ++n)
        blocks_[n].idle = !blocks_[n].used;
}

void LargeBlocks::release() {
    const std::lock_guard lock(mutex_);
    unmap_free([](const Block&) { return true; });
}

std::size_t LargeBlocks::used() {
    const std::lock_guard lock(mutex_);
    return used_;
}

std::size_t LargeBlocks::kept() {
    const std::lock_guard lock(mutex_);
    return kept_;
}

LargeBlocks::Block* LargeBlocks::find(const void* at) {
    for (std::size_t n = 0; n < count_; ++n)
        if (blocks_[n].at == at && blocks_[n].used)
            return &blocks_[n];
    return nullptr;
}

LargeBlocks::Block* LargeBlocks::find_free(std::size_t alignment, std::size_t bytes) {
    for (std::size_t n = 0; n < count_; ++n)
        if (!blocks_[n].used && blocks_[n].bytes == bytes && is_aligned(blocks_[n].at, alignment))
            return &blocks_[n];
    return nullptr;
}

// Mapped with room for the alignment, which is given back at once.
std::byte* LargeBlocks::map(std::size_t alignment, std::size_t bytes) {
    const std::size_t slack = alignment > kPage ? alignment - kPage : 0;
    void* const mapped =
        ::mmap(nullptr, bytes + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED)
        return nullptr;
    auto* const begin = static_cast<std::byte*>(mapped);
    const std::size_t over = slack > 0 ? reinterpret_cast<std::uintptr_t>(begin) % alignment : 0;
    const std::size_t before = over > 0 ? alignment - over : 0;
    if (before > 0)
        ::munmap(begin, before);
    if (slack > before)
        ::munmap(begin + before + bytes, slack - before);
    // A wish: fewer faults, and codecs that walk through pictures miss fewer translations of addresses.
    if (bytes >= kHugePage)
        ::madvise(begin + before, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
    return begin + before;
}

// The last one takes its place.
void LargeBlocks::unmap(Block& block) {
    ::munmap(block.at, block.bytes);
    kept_ -= block.bytes;
    block = blocks_[--count_];
    blocks_[count_] = {};
}

template <class Which>
void LargeBlocks::unmap_free(Which which) {
    for (std::size_t n = 0; n < count_;)
        if (!blocks_[n].used && which(blocks_[n]))
            unmap(blocks_[n]);
        else
            ++n;
}

}  // namespace millrace::engine
