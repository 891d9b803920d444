#pragma once
// SourceIntake: segments on their way in over one orchestrator's payload lane.
//
// The two lanes are not ordered towards each other, so the first chunks of a source may be here
// before its dispatch: they are taken in up to the credit every transfer starts with (1 MiB), and
// no further credit is given before the source is expected. At most kEarlyMax such transfers are
// kept, the oldest gives way.
//
// Pure: no socket, no clock. Thread: loop. Owner: OrchestratorLink.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "common/base/result.h"
#include "common/domain/protocol.h"
#include "common/net/transfer.h"
#include "common/runtime/payload.h"

namespace millrace::transcoder {

class SourceIntake {
public:
    static constexpr std::size_t kEarlyMax = 32;      // transfers of at most 1 MiB each
    static constexpr std::size_t kDroppedKept = 256;  // attempts whose late chunks mean nothing

    using Attempt = std::pair<TaskId, AttemptNo>;

    // What follows from a call: at most one of `payload` and `broken` ends the transfer.
    struct Outcome {
        std::optional<Credit> credit;
        bool arrived = false;  // bytes to take() are here
        PayloadPtr payload;    // all is here: what was not taken
        Sha256 sha256{};       // of all of it, with `payload`
        std::optional<Error> broken;
        bool unexpected = false;  // a chunk that belongs to nothing; count it
    };

    // Sources of more than `bytes_max` bytes are refused.
    SourceIntake(std::shared_ptr<BlockPool> pool, std::uint64_t bytes_max);

    // The dispatch is here: `bytes` 0 = not known yet, an all-zero hash likewise.
    [[nodiscard]] Outcome expect(Attempt attempt, std::uint64_t bytes, const Sha256& sha256);
    [[nodiscard]] Outcome on_chunk(const Chunk& chunk, std::span<const std::uint8_t> body);
    // What of an expected source has arrived and was not taken; null if nothing.
    [[nodiscard]] PayloadPtr take(Attempt attempt);
    // The sender gave it up. Nothing when it was not expected.
    [[nodiscard]] std::optional<Error> on_abort(Attempt attempt, const std::string& reason);
    // Forgets it; chunks that still come are passed over.
    void drop(Attempt attempt);
    // The lane is a new one.
    void clear();

    [[nodiscard]] std::size_t size() const { return transfers_.size(); }

private:
    struct Expected {
        std::uint64_t bytes = 0;
        Sha256 sha256{};
    };
    struct Transfer {
        net::IncomingTransfer incoming;
        std::optional<Expected> expected;
        std::optional<Credit> withheld;
    };

    Transfer* early(Attempt attempt);
    [[nodiscard]] Outcome complete(Attempt attempt, const Transfer& transfer);

    std::shared_ptr<BlockPool> pool_;
    std::uint64_t bytes_max_;
    std::map<Attempt, Transfer> transfers_;
    std::deque<Attempt> early_order_;
    std::deque<Attempt> dropped_;
};

}  // namespace millrace::transcoder
