#pragma once
// Large blocks of memory that stay mapped when they are freed, for whoever asks for the same size again.
//
// Each segment opens its encoders anew, and they ask for the very pictures that those before them had (libx264: 18
// blocks of 3 to 5 MiB for 720p). Mapped anew each time, their pages cost 6 to 13 % of a segment's CPU. Kept by
// malloc they cost memory: it cannot find a block aligned to 2 MiB again (glibc 2.36), and holes grow from segment to segment.
//
// Rules
// - A block serves requests of its own size in pages, no others: nothing is cut, so there are no holes.
// - What was not used from one call of shrink() to the next is unmapped there: another ladder's sizes do not stay.
// - Free blocks are kept up to kKeptMax, and given up before a request fails.
//
// Thread: any. Allocates nothing itself: malloc stands on it.

#include <array>
#include <cstddef>
#include <mutex>

namespace millrace::engine {

class LargeBlocks {
public:
    static constexpr std::size_t kLeast = 256UL * 1024;           // smaller ones are malloc's
    static constexpr std::size_t kKeptMax = 256UL * 1024 * 1024;  // bytes that are free
    static constexpr std::size_t kBlocksMax = 1024;

    LargeBlocks() = default;  // nothing is unmapped at the end: there may be users left
    LargeBlocks(const LargeBlocks&) = delete;
    LargeBlocks& operator=(const LargeBlocks&) = delete;

    // `alignment`: a power of two. Null: no memory, or too many blocks.
    [[nodiscard]] void* take(std::size_t alignment, std::size_t bytes);
    // False: not one of these blocks.
    bool give_back(void* block);
    // Of a block that is in use, whole pages; 0: none of these.
    [[nodiscard]] std::size_t bytes_of(const void* block);

    void shrink();
    void release();  // all that is free
    [[nodiscard]] std::size_t used();
    [[nodiscard]] std::size_t kept();

private:
    struct Block {
        std::byte* at = nullptr;
        std::size_t bytes = 0;
        bool used = false;
        bool idle = false;  // not used since the last shrink()
    };

    [[nodiscard]] Block* find(const void* at);
    [[nodiscard]] Block* find_free(std::size_t alignment, std::size_t bytes);
    [[nodiscard]] std::byte* map(std::size_t alignment, std::size_t bytes);
    void unmap(Block& block);
    template <class Which>
    void unmap_free(Which which);

    std::mutex mutex_;
    std::array<Block, kBlocksMax> blocks_{};  // the first count_ are there
    std::size_t count_ = 0;
    std::size_t used_ = 0;  // bytes
    std::size_t kept_ = 0;
};

}  // namespace millrace::engine
