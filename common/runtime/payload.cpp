#include "common/runtime/payload.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/base/check.h"

namespace millrace {

BlockPool::BlockPool(std::size_t idle_bytes_max) : idle_max_(idle_bytes_max / kBlockBytes) {}

Block BlockPool::take() {
    {
        const std::lock_guard lock(mutex_);
        in_use_ += kBlockBytes;
        if (!idle_.empty()) {
            Block block = std::move(idle_.back());
            idle_.pop_back();
            return block;
        }
    }
    return std::make_unique_for_overwrite<std::uint8_t[]>(kBlockBytes);
}

void BlockPool::give_back(Block block) {
    const std::lock_guard lock(mutex_);
    in_use_ -= kBlockBytes;
    if (idle_.size() < idle_max_)
        idle_.push_back(std::move(block));
}

std::size_t BlockPool::bytes_in_use() const {
    const std::lock_guard lock(mutex_);
    return in_use_;
}

BlockRun::~BlockRun() {
    for (Block& block : blocks_)
        pool_->give_back(std::move(block));
}

void BlockRun::drop_last() {
    pool_->give_back(std::move(blocks_.back()));
    blocks_.pop_back();
}

Payload::Payload(std::shared_ptr<const BlockRun> blocks, std::size_t size)
    : blocks_(std::move(blocks)), size_(size) {
    MR_CHECK((blocks_ ? blocks_->count() : 0) == block_count(), "payload blocks and size agree");
}

std::span<const std::uint8_t> Payload::block(std::size_t index) const {
    MR_CHECK(index < block_count(), "payload block index");
    const std::size_t start = index * kBlockBytes;
    return {blocks_->at(index), std::min(kBlockBytes, size_ - start)};
}

std::size_t Payload::read(std::size_t offset, std::span<std::uint8_t> out) const {
    std::size_t done = 0;
    while (done < out.size() && offset < size_) {
        const auto source = block(offset / kBlockBytes).subspan(offset % kBlockBytes);
        const std::size_t count = std::min(source.size(), out.size() - done);
        std::memcpy(out.data() + done, source.data(), count);
        done += count;
        offset += count;
    }
    return done;
}

PayloadBuilder::PayloadBuilder(std::shared_ptr<BlockPool> pool) : pool_(std::move(pool)) {}

std::span<std::uint8_t> PayloadBuilder::room() {
    if (!blocks_)
        blocks_ = std::make_shared<BlockRun>(pool_);
    if (size_ == blocks_->count() * kBlockBytes)
        blocks_->add();
    const std::size_t used = size_ % kBlockBytes;
    return {blocks_->at(blocks_->count() - 1) + used, kBlockBytes - used};
}

void PayloadBuilder::filled(std::size_t bytes) {
    MR_CHECK(bytes == 0 || (blocks_ && size_ + bytes <= blocks_->count() * kBlockBytes),
             "more bytes filled than there was room");
    size_ += bytes;
}

void PayloadBuilder::append(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
        const auto space = room();
        const std::size_t count = std::min(space.size(), bytes.size());
        std::memcpy(space.data(), bytes.data(), count);
        filled(count);
        bytes = bytes.subspan(count);
    }
}

PayloadPtr PayloadBuilder::seal() {
    // room() may have taken a block that nothing was written into.
    while (blocks_ && blocks_->count() > (size_ + kBlockBytes - 1) / kBlockBytes)
        blocks_->drop_last();
    if (size_ == 0)
        blocks_.reset();
    return std::make_shared<const Payload>(std::exchange(blocks_, nullptr),
                                           std::exchange(size_, 0));
}

PayloadPtr make_payload(std::shared_ptr<BlockPool> pool, std::span<const std::uint8_t> bytes) {
    PayloadBuilder builder(std::move(pool));
    builder.append(bytes);
    return builder.seal();
}

}  // namespace millrace
