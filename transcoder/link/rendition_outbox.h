#pragma once
// RenditionOutbox: renditions on their way out over one orchestrator's payload lane.
//
// A rendition is kept until its task is dropped: when the lane breaks and comes back, all of a
// task's renditions are sent again from the start. `sent` is said once per task, when every
// rendition that was announced complete is on the lane.
//
// Bounded: kTransfersMax renditions under way; one more is ErrorKind::overloaded. Bytes on the lane
// are bounded by credit.
//
// Pure but for its sink. Thread: loop. Owner: OrchestratorLink.

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/domain/protocol.h"
#include "common/net/transfer_queue.h"
#include "common/runtime/payload.h"

namespace millrace::transcoder {

class RenditionOutbox {
public:
    static constexpr std::size_t kTransfersMax = 32'768;  // 256 slots, 12 tasks, 8 renditions

    using Attempt = std::pair<TaskId, AttemptNo>;
    using Sink = std::function<net::SendResult(const Chunk&, const net::Slice& body)>;
    struct Pumped {
        std::vector<Attempt> sent;  // tasks, in the order they were done
        bool more = false;          // pump again after other work had its turn
    };

    RenditionOutbox() : queue_(kTransfersMax) {}

    [[nodiscard]] Result<void> add(Attempt attempt, std::uint32_t index, PayloadPtr payload,
                                   const Sha256& sha256);
    // There will be no more renditions of this task.
    void complete(Attempt attempt);
    void drop(Attempt attempt);

    // The lane is bound: everything that is kept goes out (again).
    void lane_up();
    void lane_down();
    // Credit for what is not there is outdated and fine; a wrong one breaks its transfer.
    [[nodiscard]] Result<void> on_credit(const Credit& credit);
    // The orchestrator does not want this rendition any more.
    void on_abort(const TransferId& transfer);
    void writable() { queue_.writable(); }
    [[nodiscard]] Pumped pump(const Sink& sink);

    [[nodiscard]] std::size_t tasks() const { return tasks_.size(); }

private:
    struct Rendition {
        PayloadPtr payload;
        Sha256 sha256{};
        bool sent = false;
    };
    struct Task {
        std::map<std::uint32_t, Rendition> renditions;
        bool complete = false;
        bool told = false;
    };

    [[nodiscard]] static TransferId transfer_id(Attempt attempt, std::uint32_t index);
    [[nodiscard]] Result<void> enqueue(Attempt attempt, std::uint32_t index,
                                       const Rendition& rendition);
    void mark_sent(const TransferId& transfer);

    net::TransferQueue queue_;
    std::map<Attempt, Task> tasks_;
    bool up_ = false;
};

}  // namespace millrace::transcoder
