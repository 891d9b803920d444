#pragma once
// TransferQueue: whose chunk goes next. Peers take turns, and the transfers of one peer take turns,
// so neither a slow peer nor a long payload holds up the others. Pure: what it decides it hands to
// a sink.
//
// Bounded: transfers per peer (a full peer is ErrorKind::overloaded), chunks per pump; bytes in
// flight are bounded by each transfer's credit. A peer whose lane is full is passed over until
// writable(): no spinning.
//
// Thread: its owner's. Owner: a link, one queue for each payload lane.

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/net/message.h"
#include "common/net/transfer.h"

namespace millrace::net {

inline constexpr std::size_t kChunksPerPump = 64;

class TransferQueue {
public:
    // Sends one chunk; `body` is empty on an empty last chunk.
    using Sink = std::function<SendResult(RouteId, const Chunk&, const Slice& body)>;
    struct Pumped {
        std::vector<std::pair<RouteId, TransferId>> finished;  // the last chunk is on its way
        // Connections that turned out to be gone (or refused a chunk as too large); their transfers
        // were dropped.
        std::vector<RouteId> gone;
        bool more = false;  // chunks are still ready: pump again after other work had its turn
    };

    explicit TransferQueue(std::size_t transfers_per_peer_max);

    // overloaded when the peer's places are taken; bad_input when it has a transfer of that id.
    [[nodiscard]] Result<void> add(RouteId peer, OutgoingTransfer transfer);
    // To append to one that grows; null when it is not there (any more). Valid until the next call
    // that is not const.
    [[nodiscard]] OutgoingTransfer* find(RouteId peer, const TransferId& id);
    // Credit for a transfer that is not there is outdated and fine.
    [[nodiscard]] Result<void> on_credit(RouteId peer, const Credit& credit);
    // False when it was not there.
    bool drop(RouteId peer, const TransferId& id);
    // What was dropped.
    std::vector<TransferId> drop_peer(RouteId peer);

    // The lane said that something may be sendable again.
    void writable();
    // Hands chunks to the sink until nothing is ready, everything that is ready is blocked, or
    // `chunks_max` went out.
    [[nodiscard]] Pumped pump(const Sink& sink, std::size_t chunks_max = kChunksPerPump);

    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] bool empty() const { return peers_.empty(); }

private:
    struct Peer {
        std::list<OutgoingTransfer> transfers;  // the next one in turn first
        bool blocked = false;
    };
    using Peers = std::map<RouteId, Peer>;

    [[nodiscard]] Peers::iterator next_peer();
    void send_one(Peers::iterator peer, const Sink& sink, Pumped& pumped);

    std::size_t transfers_per_peer_max_;
    Peers peers_;  // without empty ones
    RouteId served_last_;
};

}  // namespace millrace::net
