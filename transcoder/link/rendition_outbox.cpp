#include "transcoder/link/rendition_outbox.h"

#include <algorithm>

namespace millrace::transcoder {
namespace {

// A client lane has one peer.
constexpr net::RouteId kPeer{1};

}  // namespace

TransferId RenditionOutbox::transfer_id(Attempt attempt, std::uint32_t index) {
    return {attempt.first, attempt.second, Direction::to_orchestrator, index};
}

Result<void> RenditionOutbox::add(Attempt attempt, std::uint32_t index, PayloadPtr payload,
                                  const Sha256& sha256) {
    const Rendition rendition{std::move(payload), sha256};
    Task& task = tasks_[attempt];
    task.renditions[index] = rendition;
    return up_ ? enqueue(attempt, index, rendition) : Result<void>{};
}

Result<void> RenditionOutbox::enqueue(Attempt attempt, std::uint32_t index,
                                      const Rendition& rendition) {
    return queue_.add(kPeer, net::OutgoingTransfer(transfer_id(attempt, index), rendition.payload,
                                                   rendition.sha256));
}

void RenditionOutbox::complete(Attempt attempt) {
    tasks_[attempt].complete = true;
}

void RenditionOutbox::drop(Attempt attempt) {
    const auto found = tasks_.find(attempt);
    if (found == tasks_.end())
        return;
    for (const auto& [index, rendition] : found->second.renditions)
        queue_.drop(kPeer, transfer_id(attempt, index));
    tasks_.erase(found);
}

void RenditionOutbox::lane_up() {
    lane_down();
    up_ = true;
    for (auto& [attempt, task] : tasks_)
        for (auto& [index, rendition] : task.renditions) {
            rendition.sent = false;
            // The queue is empty but for what this loop adds, and held tasks are fewer than places.
            (void)enqueue(attempt, index, rendition);
        }
}

void RenditionOutbox::lane_down() {
    up_ = false;
    queue_.drop_peer(kPeer);
}

Result<void> RenditionOutbox::on_credit(const Credit& credit) {
    return queue_.on_credit(kPeer, credit);
}

void RenditionOutbox::on_abort(const TransferId& transfer) {
    queue_.drop(kPeer, transfer);
    mark_sent(transfer);
}

void RenditionOutbox::mark_sent(const TransferId& transfer) {
    const auto task = tasks_.find({transfer.task, transfer.attempt});
    if (task == tasks_.end())
        return;
    const auto rendition = task->second.renditions.find(transfer.index);
    if (rendition != task->second.renditions.end())
        rendition->second.sent = true;
}

RenditionOutbox::Pumped RenditionOutbox::pump(const Sink& sink) {
    Pumped pumped;
    const auto result = queue_.pump([&](net::RouteId, const Chunk& chunk, const net::Slice& body) {
        return sink(chunk, body);
    });
    for (const auto& [peer, transfer] : result.finished)
        mark_sent(transfer);
    if (!result.gone.empty())
        up_ = false;  // what is kept goes out again when the lane is back
    pumped.more = result.more;
    for (auto& [attempt, task] : tasks_) {
        const bool all = std::all_of(task.renditions.begin(), task.renditions.end(),
                                     [](const auto& entry) { return entry.second.sent; });
        if (task.complete && all && up_ && !task.told) {
            task.told = true;
            pumped.sent.push_back(attempt);
        }
    }
    return pumped;
}

}  // namespace millrace::transcoder
