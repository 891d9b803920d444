#pragma once
// Payload bytes: received once into pooled blocks, then shared and never changed.
//
// A Payload is a list of fixed-size blocks, so that a segment is neither moved nor copied while it
// grows, and so that one block is one chunk on the payload lane. All blocks but the last are full.
//
// Thread: a PayloadBuilder belongs to one thread at a time; bytes that were filled may be read by others already,
// who were told of them in a way that orders it (a lock, a post). A sealed Payload is immutable and may
// be read from any thread; its blocks return to the pool when the last reader lets go, on whichever
// thread. Owner: shared (PayloadPtr). The pool must outlive its payloads; it is made first in main
// and kept alive by the payloads themselves.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace millrace {

// The largest chunk on the payload lane (zeromq-and-failures: larger frames let heartbeats kill
// slow links).
inline constexpr std::size_t kBlockBytes = 256 * 1024;

// Bytes kept alive by a reference. They must not change while the owner is held.
struct Slice {
    std::shared_ptr<const void> owner{};
    std::span<const std::uint8_t> bytes{};
};

using Block = std::unique_ptr<std::uint8_t[]>;  // kBlockBytes long

// Keeps up to `idle_bytes_max` of free blocks for reuse: fresh large allocations cost more in page
// faults than receiving the bytes does. Thread: any.
class BlockPool {
public:
    explicit BlockPool(std::size_t idle_bytes_max = 64 * 1024 * 1024);

    [[nodiscard]] Block take();
    void give_back(Block block);

    // Bytes of blocks handed out and not yet returned.
    [[nodiscard]] std::size_t bytes_in_use() const;

private:
    mutable std::mutex mutex_;
    std::vector<Block> idle_;
    std::size_t idle_max_;
    std::size_t in_use_ = 0;
};

// Blocks that go back to their pool together. Whoever holds a reference may read what has been filled, also while
// a builder still fills the rest.
class BlockRun {
public:
    explicit BlockRun(std::shared_ptr<BlockPool> pool) : pool_(std::move(pool)) {}
    ~BlockRun();
    BlockRun(const BlockRun&) = delete;
    BlockRun& operator=(const BlockRun&) = delete;

    void add() { blocks_.push_back(pool_->take()); }
    void drop_last();
    [[nodiscard]] std::size_t count() const { return blocks_.size(); }
    [[nodiscard]] std::uint8_t* at(std::size_t index) const { return blocks_[index].get(); }

private:
    std::shared_ptr<BlockPool> pool_;
    std::vector<Block> blocks_;
};

class Payload {
public:
    Payload(std::shared_ptr<const BlockRun> blocks, std::size_t size);
    Payload(const Payload&) = delete;
    Payload& operator=(const Payload&) = delete;

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t block_count() const {
        return (size_ + kBlockBytes - 1) / kBlockBytes;
    }
    // Full blocks are kBlockBytes long, the last one is what remains.
    [[nodiscard]] std::span<const std::uint8_t> block(std::size_t index) const;
    // Copies bytes [offset, offset + out.size()) that exist; returns how many.
    std::size_t read(std::size_t offset, std::span<std::uint8_t> out) const;

private:
    std::shared_ptr<const BlockRun> blocks_;  // null when there are no bytes
    std::size_t size_;
};

using PayloadPtr = std::shared_ptr<const Payload>;

class PayloadBuilder {
public:
    explicit PayloadBuilder(std::shared_ptr<BlockPool> pool);

    void append(std::span<const std::uint8_t> bytes);
    // For reading straight from a socket: writable room (never empty), then how much of it was
    // filled.
    [[nodiscard]] std::span<std::uint8_t> room();
    void filled(std::size_t bytes);

    [[nodiscard]] std::size_t size() const { return size_; }
    // Keeps the bytes that were filled so far where they are, whatever becomes of the builder.
    [[nodiscard]] std::shared_ptr<const void> owner() const { return blocks_; }
    // Ends the payload; the builder is empty afterwards and may be used again.
    [[nodiscard]] PayloadPtr seal();

private:
    std::shared_ptr<BlockPool> pool_;
    std::shared_ptr<BlockRun> blocks_;  // null before the first byte
    std::size_t size_ = 0;
};

// For tests and small answers.
[[nodiscard]] PayloadPtr make_payload(std::shared_ptr<BlockPool> pool,
                                      std::span<const std::uint8_t> bytes);

}  // namespace millrace
