#include "transcoder/engine/large_blocks.h"

#include <cstdint>
#include <cstring>
#include <memory>

#include "tests/support/catch.h"

namespace millrace::engine {
namespace {

constexpr std::size_t kMiB = 1024UL * 1024;
constexpr std::size_t kHuge = 2 * kMiB;  // what libx264 aligns its pictures to

struct Fixture {
    // Too large for a stack.
    std::unique_ptr<LargeBlocks> owned = std::make_unique<LargeBlocks>();
    LargeBlocks& blocks = *owned;
};

}  // namespace

TEST_CASE_METHOD(Fixture, "a freed block serves the next request of its size, and no other",
                 "[engine][memory]") {
    void* const first = blocks.take(kHuge, 3 * kMiB);
    REQUIRE(first != nullptr);
    CHECK(reinterpret_cast<std::uintptr_t>(first) % kHuge == 0);
    std::memset(first, 1, 3 * kMiB);
    CHECK(blocks.used() == 3 * kMiB);

    CHECK(blocks.give_back(first));
    CHECK(blocks.used() == 0);
    CHECK(blocks.kept() == 3 * kMiB);
    void* const smaller = blocks.take(64, 2 * kMiB);
    CHECK(smaller != first);
    CHECK(blocks.take(64, 3 * kMiB) == first);
    CHECK(blocks.kept() == 0);
}

TEST_CASE_METHOD(Fixture, "a block that is not aligned as asked is left for others",
                 "[engine][memory]") {
    void* one = blocks.take(64, kMiB);
    void* two = blocks.take(64, kMiB);  // side by side: one of them is not on a whole two MiB
    REQUIRE(one != nullptr);
    REQUIRE(two != nullptr);
    (void)blocks.give_back(one);
    (void)blocks.give_back(two);
    void* const first = blocks.take(kHuge, kMiB);
    void* const second = blocks.take(kHuge, kMiB);
    CHECK(reinterpret_cast<std::uintptr_t>(first) % kHuge == 0);
    CHECK(reinterpret_cast<std::uintptr_t>(second) % kHuge == 0);
    CHECK(first != second);
}

TEST_CASE_METHOD(Fixture, "only its own blocks are taken back, and once", "[engine][memory]") {
    void* const block = blocks.take(64, kMiB);
    CHECK(blocks.bytes_of(block) == kMiB);
    int other = 0;
    CHECK_FALSE(blocks.give_back(&other));
    CHECK_FALSE(blocks.give_back(static_cast<std::byte*>(block) + 4096));
    CHECK(blocks.give_back(block));
    CHECK(blocks.bytes_of(block) == 0);
    CHECK_FALSE(blocks.give_back(block));
}

TEST_CASE_METHOD(Fixture, "what a whole task did not use is unmapped after it",
                 "[engine][memory]") {
    void* const wanted = blocks.take(64, kMiB);
    void* const other = blocks.take(64, 3 * kMiB);
    (void)blocks.give_back(wanted);
    (void)blocks.give_back(other);
    blocks.shrink();  // both were used
    CHECK(blocks.kept() == 4 * kMiB);

    (void)blocks.give_back(blocks.take(64, kMiB));
    blocks.shrink();
    CHECK(blocks.kept() == kMiB);
    CHECK(blocks.take(64, kMiB) == wanted);
    blocks.shrink();
    CHECK(blocks.used() == kMiB);
}

TEST_CASE_METHOD(Fixture, "free blocks are bounded, and released when nothing is to do",
                 "[engine][memory]") {
    constexpr std::size_t kHalf = LargeBlocks::kKeptMax / 2;
    void* const a = blocks.take(64, kHalf);
    void* const b = blocks.take(64, kHalf);
    void* const c = blocks.take(64, kHalf);
    (void)blocks.give_back(a);
    (void)blocks.give_back(b);
    (void)blocks.give_back(c);
    CHECK(blocks.kept() == LargeBlocks::kKeptMax);
    CHECK(blocks.used() == 0);
    blocks.release();
    CHECK(blocks.kept() == 0);
}

TEST_CASE_METHOD(Fixture, "what cannot be had is null, also absurd sizes and one block too many",
                 "[engine][memory]") {
    CHECK(blocks.take(64, SIZE_MAX) == nullptr);
    CHECK(blocks.take(SIZE_MAX / 2 + 1, kMiB) == nullptr);
    CHECK(blocks.take(64, std::size_t{1} << 60) == nullptr);
    for (std::size_t n = 0; n < LargeBlocks::kBlocksMax; ++n)
        REQUIRE(blocks.take(64, 4096) != nullptr);
    CHECK(blocks.take(64, 4096) == nullptr);
    CHECK(blocks.used() == LargeBlocks::kBlocksMax * 4096);
}

}  // namespace millrace::engine
