#pragma once
// Transfers: one payload on its way over a payload lane, in chunks, under byte credit. Pure state
// machines: no socket, no clock, no thread.
//
// The receiver says how far the sender may go (Credit.limit, an absolute offset); before it says
// anything that is kCreditAtStart = 1 MiB, so at most four full chunks of one transfer are on their
// way or waiting in libzmq at any time. The receiver moves the limit on whenever half of it is
// used. Offsets are checked one by one, the whole by its SHA-256: a lane delivers in order or not
// at all, so a gap means that the connection was replaced in between and the attempt is over.
//
// Errors are ErrorKind::disconnected: what the peer did makes this attempt worthless, another one
// may go well.
//
// Thread: their owner's. Owner: the link that made the attempt's record.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "common/base/result.h"
#include "common/domain/protocol.h"
#include "common/net/message.h"
#include "common/runtime/payload.h"
#include "common/runtime/sha256.h"

namespace millrace::net {

class OutgoingTransfer {
public:
    // The next chunk: what to encode, and the bytes to send from where they lie.
    struct Next {
        Chunk chunk;
        Slice body;
    };

    // A payload that is complete.
    OutgoingTransfer(TransferId id, const PayloadPtr& payload, const Sha256& sha256);
    // A payload that still grows. `total`: its length where it is known already, else 0.
    explicit OutgoingTransfer(TransferId id, std::uint64_t total = 0);

    // More bytes, in order. Few large pieces make few large chunks; more than kBlockBytes is cut.
    void append(Slice piece);
    // There will be no more bytes; the hash is over all of them.
    void finish(const Sha256& sha256);
    // The payload it was made of piece by piece is complete: appends what is missing, and finishes.
    void finish(const PayloadPtr& whole, const Sha256& sha256);

    [[nodiscard]] const TransferId& id() const { return id_; }
    // There is a chunk that may be sent now.
    [[nodiscard]] bool ready() const;
    // That chunk (ready() must hold). Asking again without sent() gives the same one.
    [[nodiscard]] Next next() const;
    // The chunk that next() gave is on its way.
    void sent();
    // The last chunk is on its way.
    [[nodiscard]] bool done() const { return last_sent_; }
    [[nodiscard]] std::uint64_t bytes_sent() const { return offset_; }
    [[nodiscard]] std::uint64_t bytes_appended() const { return appended_; }

    // Lower limits than before are outdated and ignored; one that the receiver cannot have reached
    // yet is an error.
    [[nodiscard]] Result<void> on_credit(const Credit& credit);

private:
    [[nodiscard]] std::size_t next_bytes() const;

    TransferId id_;
    std::deque<Slice> pieces_;  // not sent yet
    std::uint64_t appended_ = 0;
    std::uint64_t offset_ = 0;  // sent
    std::uint64_t limit_ = kCreditAtStart;
    std::uint64_t total_ = 0;  // 0 = not known
    std::optional<Sha256> sha256_;
    bool last_sent_ = false;
};

class IncomingTransfer {
public:
    struct Progress {
        std::optional<Credit> credit;  // to be sent to the other side
        bool complete = false;         // payload() is there
    };

    // More than `bytes_max` bytes are refused, as soon as they are announced.
    IncomingTransfer(TransferId id, std::shared_ptr<BlockPool> pool, std::uint64_t bytes_max);

    // After an error the transfer is of no use any more: abort it.
    [[nodiscard]] Result<Progress> on_chunk(const Chunk& chunk, std::span<const std::uint8_t> body);

    [[nodiscard]] const TransferId& id() const { return id_; }
    [[nodiscard]] std::uint64_t bytes_received() const { return received_; }
    // What has arrived since it was taken last; null if nothing. payload() is what was not taken.
    [[nodiscard]] PayloadPtr take();
    // As announced by the sender; 0 = not known yet.
    [[nodiscard]] std::uint64_t total() const { return total_; }
    // Null until complete.
    [[nodiscard]] const PayloadPtr& payload() const { return payload_; }
    [[nodiscard]] const Sha256& sha256() const { return sha256_; }

private:
    [[nodiscard]] Result<void> check(const Chunk& chunk, std::size_t body_bytes) const;
    [[nodiscard]] Result<void> complete(const Chunk& chunk);
    [[nodiscard]] std::optional<Credit> replenish();

    TransferId id_;
    std::uint64_t bytes_max_;
    PayloadBuilder builder_;
    Sha256Hasher hasher_;
    std::uint64_t received_ = 0;
    std::uint64_t granted_ = kCreditAtStart;
    std::uint64_t total_ = 0;
    bool failed_ = false;
    PayloadPtr payload_;
    Sha256 sha256_{};
};

}  // namespace millrace::net
