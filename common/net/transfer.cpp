#include "common/net/transfer.h"

#include <algorithm>

#include "common/base/check.h"

namespace millrace::net {

namespace {

Error broken(std::string what) {
    return error(ErrorKind::disconnected, "broken transfer: " + std::move(what));
}

}  // namespace

// --- outgoing ----------------------------------------------------------------------------------

OutgoingTransfer::OutgoingTransfer(TransferId id, const PayloadPtr& payload, const Sha256& sha256)
    : OutgoingTransfer(id, payload->size()) {
    finish(payload, sha256);
}

OutgoingTransfer::OutgoingTransfer(TransferId id, std::uint64_t total) : id_(id), total_(total) {}

void OutgoingTransfer::append(Slice piece) {
    MR_CHECK(!sha256_, "no bytes after the end of a transfer");
    appended_ += piece.bytes.size();
    MR_CHECK(total_ == 0 || appended_ <= total_, "a transfer stays within its announced length");
    while (!piece.bytes.empty()) {
        const std::size_t count = std::min(piece.bytes.size(), kBlockBytes);
        pieces_.push_back({piece.owner, piece.bytes.first(count)});
        piece.bytes = piece.bytes.subspan(count);
    }
}

void OutgoingTransfer::finish(const Sha256& sha256) {
    MR_CHECK(!sha256_, "a transfer ends once");
    MR_CHECK(total_ == 0 || appended_ == total_, "a transfer has its announced length");
    total_ = appended_;
    sha256_ = sha256;
}

void OutgoingTransfer::finish(const PayloadPtr& whole, const Sha256& sha256) {
    MR_CHECK(appended_ <= whole->size(), "a payload is not shorter than its pieces");
    for (std::size_t i = appended_ / kBlockBytes; i < whole->block_count(); ++i)
        append({whole, whole->block(i).subspan(appended_ - i * kBlockBytes)});
    finish(sha256);
}

bool OutgoingTransfer::ready() const {
    if (last_sent_)
        return false;
    return pieces_.empty() ? sha256_.has_value() : offset_ < limit_;
}

std::size_t OutgoingTransfer::next_bytes() const {
    if (pieces_.empty())
        return 0;
    return static_cast<std::size_t>(
        std::min<std::uint64_t>(pieces_.front().bytes.size(), limit_ - offset_));
}

OutgoingTransfer::Next OutgoingTransfer::next() const {
    MR_CHECK(ready(), "a chunk is asked for when there is one");
    const std::size_t count = next_bytes();
    Next next;
    next.chunk = {id_, offset_, sha256_ && offset_ + count == appended_, total_, {}};
    if (next.chunk.last)
        next.chunk.sha256 = *sha256_;
    if (count != 0)
        next.body = {pieces_.front().owner, pieces_.front().bytes.first(count)};
    return next;
}

void OutgoingTransfer::sent() {
    MR_CHECK(ready(), "a chunk was sent when there was one");
    const std::size_t count = next_bytes();
    offset_ += count;
    last_sent_ = sha256_ && offset_ == appended_;
    if (count == 0)
        return;
    auto& bytes = pieces_.front().bytes;
    bytes = bytes.subspan(count);
    if (bytes.empty())
        pieces_.pop_front();
}

Result<void> OutgoingTransfer::on_credit(const Credit& credit) {
    if (credit.limit > offset_ + kCreditAtStart)
        return broken("credit for bytes that were never sent");
    limit_ = std::max(limit_, credit.limit);
    return {};
}

// --- incoming ----------------------------------------------------------------------------------

IncomingTransfer::IncomingTransfer(TransferId id, std::shared_ptr<BlockPool> pool,
                                   std::uint64_t bytes_max)
    : id_(id), bytes_max_(bytes_max), builder_(std::move(pool)) {}

Result<void> IncomingTransfer::check(const Chunk& chunk, std::size_t body_bytes) const {
    if (failed_ || payload_)
        return broken("a chunk after its end");
    if (chunk.transfer != id_)
        return broken("a chunk of another one");
    if (chunk.offset != received_)
        return broken("offset " + std::to_string(chunk.offset) + " where " +
                      std::to_string(received_) + " was due");
    if (body_bytes > kBlockBytes || (body_bytes == 0 && !chunk.last))
        return broken("a chunk of " + std::to_string(body_bytes) + " bytes");
    const std::uint64_t end = received_ + body_bytes;
    if (end > granted_)
        return broken("more bytes than credit");
    if (end > bytes_max_ || chunk.total > bytes_max_)
        return broken("larger than the limit of " + std::to_string(bytes_max_) + " bytes");
    if (total_ != 0 && chunk.total != total_)
        return broken("its length changed on the way");
    if ((chunk.total != 0 && end > chunk.total) || (chunk.last && end != chunk.total))
        return broken("its length is not what it said");
    return {};
}

Result<IncomingTransfer::Progress> IncomingTransfer::on_chunk(const Chunk& chunk,
                                                              std::span<const std::uint8_t> body) {
    if (auto checked = check(chunk, body.size()); !checked) {
        failed_ = true;
        return checked.error();
    }
    total_ = chunk.total;
    builder_.append(body);
    hasher_.update(body);
    received_ += body.size();
    if (!chunk.last)
        return Progress{replenish(), false};
    MR_TRY(complete(chunk));
    return Progress{std::nullopt, true};
}

PayloadPtr IncomingTransfer::take() {
    return builder_.size() == 0 ? nullptr : builder_.seal();
}

Result<void> IncomingTransfer::complete(const Chunk& chunk) {
    sha256_ = hasher_.finish();
    if (sha256_ != chunk.sha256) {
        failed_ = true;
        return broken("its SHA-256 does not match");
    }
    payload_ = builder_.seal();
    return {};
}

std::optional<Credit> IncomingTransfer::replenish() {
    const bool enough = total_ != 0 && granted_ >= total_;
    if (enough || granted_ - received_ > kCreditAtStart / 2)
        return std::nullopt;
    granted_ = received_ + kCreditAtStart;
    return Credit{id_, granted_};
}

}  // namespace millrace::net
