#include "common/net/transfer_queue.h"

#include <algorithm>

namespace millrace::net {

namespace {

std::list<OutgoingTransfer>::iterator find_ready(std::list<OutgoingTransfer>& transfers) {
    return std::find_if(transfers.begin(), transfers.end(),
                        [](const OutgoingTransfer& transfer) { return transfer.ready(); });
}

std::list<OutgoingTransfer>::iterator find_id(std::list<OutgoingTransfer>& transfers,
                                              const TransferId& id) {
    return std::find_if(transfers.begin(), transfers.end(),
                        [&id](const OutgoingTransfer& transfer) { return transfer.id() == id; });
}

}  // namespace

TransferQueue::TransferQueue(std::size_t transfers_per_peer_max)
    : transfers_per_peer_max_(transfers_per_peer_max) {}

Result<void> TransferQueue::add(RouteId peer, OutgoingTransfer transfer) {
    const auto known = peers_.find(peer);
    const std::size_t count = known == peers_.end() ? 0 : known->second.transfers.size();
    if (count >= transfers_per_peer_max_)
        return error(ErrorKind::overloaded,
                     "this peer has " + std::to_string(count) + " transfers on their way already");
    if (find(peer, transfer.id()) != nullptr)
        return error(ErrorKind::bad_input, "this transfer is on its way already");
    peers_[peer].transfers.push_back(std::move(transfer));
    return {};
}

OutgoingTransfer* TransferQueue::find(RouteId peer, const TransferId& id) {
    const auto known = peers_.find(peer);
    if (known == peers_.end())
        return nullptr;
    const auto found = find_id(known->second.transfers, id);
    return found == known->second.transfers.end() ? nullptr : &*found;
}

Result<void> TransferQueue::on_credit(RouteId peer, const Credit& credit) {
    OutgoingTransfer* transfer = find(peer, credit.transfer);
    if (transfer == nullptr)
        return {};
    return transfer->on_credit(credit);
}

bool TransferQueue::drop(RouteId peer, const TransferId& id) {
    const auto known = peers_.find(peer);
    if (known == peers_.end())
        return false;
    auto& transfers = known->second.transfers;
    const auto found = find_id(transfers, id);
    if (found == transfers.end())
        return false;
    transfers.erase(found);
    if (transfers.empty())
        peers_.erase(known);
    return true;
}

std::vector<TransferId> TransferQueue::drop_peer(RouteId peer) {
    std::vector<TransferId> dropped;
    const auto known = peers_.find(peer);
    if (known == peers_.end())
        return dropped;
    for (const OutgoingTransfer& transfer : known->second.transfers)
        dropped.push_back(transfer.id());
    peers_.erase(known);
    return dropped;
}

void TransferQueue::writable() {
    for (auto& [route, peer] : peers_)
        peer.blocked = false;
}

// The first one after the one served last, around the circle, that can send.
TransferQueue::Peers::iterator TransferQueue::next_peer() {
    auto peer = peers_.upper_bound(served_last_);
    for (std::size_t looked = 0; looked < peers_.size(); ++looked, ++peer) {
        if (peer == peers_.end())
            peer = peers_.begin();
        auto& transfers = peer->second.transfers;
        if (!peer->second.blocked && find_ready(transfers) != transfers.end())
            return peer;
    }
    return peers_.end();
}

void TransferQueue::send_one(Peers::iterator peer, const Sink& sink, Pumped& pumped) {
    const RouteId route = peer->first;
    auto& transfers = peer->second.transfers;
    const auto transfer = find_ready(transfers);
    served_last_ = route;
    const auto next = transfer->next();
    switch (sink(route, next.chunk, next.body)) {
        case SendResult::sent:
            break;
        case SendResult::would_block:
            peer->second.blocked = true;
            return;
        case SendResult::gone:
        case SendResult::too_large:
            pumped.gone.push_back(route);
            peers_.erase(peer);
            return;
    }
    transfer->sent();
    if (!transfer->done()) {
        transfers.splice(transfers.end(), transfers, transfer);
        return;
    }
    pumped.finished.emplace_back(route, transfer->id());
    transfers.erase(transfer);
    if (transfers.empty())
        peers_.erase(peer);
}

TransferQueue::Pumped TransferQueue::pump(const Sink& sink, std::size_t chunks_max) {
    Pumped pumped;
    auto peer = next_peer();
    for (std::size_t tries = 0; tries < chunks_max && peer != peers_.end(); ++tries) {
        send_one(peer, sink, pumped);
        peer = next_peer();
    }
    pumped.more = peer != peers_.end();
    return pumped;
}

std::size_t TransferQueue::size() const {
    std::size_t count = 0;
    for (const auto& [route, peer] : peers_)
        count += peer.transfers.size();
    return count;
}

}  // namespace millrace::net
