#include "transcoder/link/source_intake.h"

#include <algorithm>
#include <utility>

namespace millrace::transcoder {
namespace {

TransferId transfer_id(SourceIntake::Attempt attempt) {
    return {attempt.first, attempt.second, Direction::to_transcoder, 0};
}

}  // namespace

SourceIntake::SourceIntake(std::shared_ptr<BlockPool> pool, std::uint64_t bytes_max)
    : pool_(std::move(pool)), bytes_max_(bytes_max) {}

SourceIntake::Outcome SourceIntake::expect(Attempt attempt, std::uint64_t bytes,
                                           const Sha256& sha256) {
    auto found = transfers_.find(attempt);
    if (found == transfers_.end())
        found =
            transfers_.emplace(attempt, Transfer{{transfer_id(attempt), pool_, bytes_max_}, {}, {}})
                .first;
    std::erase(early_order_, attempt);
    std::erase(dropped_, attempt);
    Transfer& transfer = found->second;
    transfer.expected = Expected{bytes, sha256};
    if (transfer.incoming.payload())
        return complete(attempt, transfer);
    return {.credit = std::exchange(transfer.withheld, {}),
            .arrived = transfer.incoming.bytes_received() > 0,
            .payload = {},
            .sha256 = {},
            .broken = {}};
}

PayloadPtr SourceIntake::take(Attempt attempt) {
    const auto found = transfers_.find(attempt);
    const bool expected = found != transfers_.end() && found->second.expected.has_value();
    return expected ? found->second.incoming.take() : nullptr;
}

// A place for what is not expected yet; null when its attempt was dropped before.
SourceIntake::Transfer* SourceIntake::early(Attempt attempt) {
    if (std::find(dropped_.begin(), dropped_.end(), attempt) != dropped_.end())
        return nullptr;
    if (early_order_.size() >= kEarlyMax) {
        transfers_.erase(early_order_.front());
        early_order_.pop_front();
    }
    early_order_.push_back(attempt);
    return &transfers_.emplace(attempt, Transfer{{transfer_id(attempt), pool_, bytes_max_}, {}, {}})
                .first->second;
}

SourceIntake::Outcome SourceIntake::on_chunk(const Chunk& chunk,
                                             std::span<const std::uint8_t> body) {
    const Attempt attempt{chunk.transfer.task, chunk.transfer.attempt};
    if (chunk.transfer != transfer_id(attempt))
        return {.credit = {}, .payload = {}, .sha256 = {}, .broken = {}, .unexpected = true};
    const auto found = transfers_.find(attempt);
    Transfer* transfer = found != transfers_.end() ? &found->second
                         : chunk.offset == 0       ? early(attempt)
                                                   : nullptr;
    if (transfer == nullptr)
        return {.credit = {}, .payload = {}, .sha256 = {}, .broken = {}, .unexpected = true};
    auto progress = transfer->incoming.on_chunk(chunk, body);
    const bool expected = transfer->expected.has_value();
    if (!progress) {
        drop(attempt);
        if (!expected)
            return {.credit = {}, .payload = {}, .sha256 = {}, .broken = {}, .unexpected = true};
        return {.credit = {}, .payload = {}, .sha256 = {}, .broken = progress.error()};
    }
    if (!expected) {
        if (progress->credit)
            transfer->withheld = progress->credit;
        return {};
    }
    if (progress->complete)
        return complete(attempt, *transfer);
    return {.credit = progress->credit, .arrived = true, .payload = {}, .sha256 = {}, .broken = {}};
}

// All of it is here and is what the sender says it is; is it what was dispatched?
SourceIntake::Outcome SourceIntake::complete(Attempt attempt, const Transfer& transfer) {
    Outcome outcome;
    const Expected expected = *transfer.expected;
    const std::uint64_t bytes = transfer.incoming.bytes_received();
    if (expected.bytes != 0 && bytes != expected.bytes)
        outcome.broken = error(ErrorKind::disconnected, "the source has " + std::to_string(bytes) +
                                                            " bytes instead of " +
                                                            std::to_string(expected.bytes));
    else if (expected.sha256 != Sha256{} && transfer.incoming.sha256() != expected.sha256)
        outcome.broken = error(ErrorKind::disconnected, "the source is not the one dispatched");
    else {
        outcome.payload = transfer.incoming.payload();
        outcome.sha256 = transfer.incoming.sha256();
    }
    transfers_.erase(attempt);
    return outcome;
}

std::optional<Error> SourceIntake::on_abort(Attempt attempt, const std::string& reason) {
    const auto found = transfers_.find(attempt);
    const bool expected = found != transfers_.end() && found->second.expected.has_value();
    drop(attempt);
    if (!expected)
        return std::nullopt;
    return error(ErrorKind::disconnected, "the orchestrator gave the source up: " + reason);
}

void SourceIntake::drop(Attempt attempt) {
    transfers_.erase(attempt);
    std::erase(early_order_, attempt);
    dropped_.push_back(attempt);
    if (dropped_.size() > kDroppedKept)
        dropped_.pop_front();
}

void SourceIntake::clear() {
    transfers_.clear();
    early_order_.clear();
    dropped_.clear();
}

}  // namespace millrace::transcoder
