#include "common/runtime/payload.h"

#include <algorithm>
#include <cstring>

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

Payload::Payload(std::shared_ptr<BlockPool> pool, std::vector<Block> blocks, std::size_t size)
    : pool_(std::move(pool)), blocks_(std::move(blocks)), size_(size) {
    MR_CHECK(blocks_.size() == (size_ + kBlockBytes - 1) / kBlockBytes,
             "payload blocks and size agree");
}

Payload::~Payload() {
    for (Block& block : blocks_)
        pool_->give_back(std::move(block));
}

std::span<const std::uint8_t> Payload::block(std::size_t index) const {
    MR_CHECK(index < blocks_.size(), "payload block index");
    const std::size_t start = index * kBlockBytes;
    return {blocks_[index].get(), std::min(kBlockBytes, size_ - start)};
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

PayloadBuilder::~PayloadBuilder() {
    for (Block& block : blocks_)
        if (block)
            pool_->give_back(std::move(block));
}

PayloadBuilder& PayloadBuilder::operator=(PayloadBuilder&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(blocks_, other.blocks_);
    std::swap(size_, other.size_);
    return *this;
}

std::span<std::uint8_t> PayloadBuilder::room() {
    if (size_ == blocks_.size() * kBlockBytes)
        blocks_.push_back(pool_->take());
    const std::size_t used = size_ % kBlockBytes;
    return {blocks_.back().get() + used, kBlockBytes - used};
}

void PayloadBuilder::filled(std::size_t bytes) {
    MR_CHECK(size_ + bytes <= blocks_.size() * kBlockBytes,
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
    while (blocks_.size() > (size_ + kBlockBytes - 1) / kBlockBytes) {
        pool_->give_back(std::move(blocks_.back()));
        blocks_.pop_back();
    }
    auto payload = std::make_shared<const Payload>(pool_, std::move(blocks_), size_);
    blocks_.clear();
    size_ = 0;
    return payload;
}

PayloadPtr make_payload(std::shared_ptr<BlockPool> pool, std::span<const std::uint8_t> bytes) {
    PayloadBuilder builder(std::move(pool));
    builder.append(bytes);
    return builder.seal();
}

}  // namespace millrace
