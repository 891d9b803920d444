#include "orchestrator/link/transcoder_link.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "common/net/lane.h"
#include "common/net/transfer_queue.h"
#include "common/net/zap.h"
#include "common/runtime/log.h"
#include "common/runtime/loop.h"
#include "common/wire/codec.h"

namespace millrace::orchestrator {
namespace {

// A payload lane that said nothing for this long is down, whatever TCP thinks.
constexpr Duration kLaneLease = std::chrono::seconds(3);
constexpr Duration kLaneCheckEvery = std::chrono::milliseconds(500);
// Sources on their way to one transcoder; its slots and what waits in them stay far below.
constexpr std::size_t kTransfersPerPeerMax = 2048;
// Enrolments whose answer is outstanding.
constexpr std::size_t kEnrolmentsMax = 1024;

using net::RouteId;
using AttemptKey = std::pair<TaskId, AttemptNo>;

// Where a transcoder is reached. Routes are connections; the key is who it is.
struct Peer {
    RouteId control;
    RouteId payload;
    Incarnation incarnation;
    std::uint64_t nonce = 0;
    bool payload_up = false;
    TimePoint payload_seen;
};

// One rendition on its way here, over one connection: a new connection starts it again from the beginning.
struct Incoming {
    RouteId route;
    net::IncomingTransfer transfer;
};

struct Expectation {
    TranscoderKey from;
    std::uint32_t renditions = 0;
    std::uint64_t bytes_max = 0;
    std::map<std::uint32_t, Incoming> coming;
    std::map<std::uint32_t, PayloadPtr> complete;
};

}  // namespace

class TranscoderLink::Impl {
public:
    Impl(Parts parts, Epoch epoch)
        : parts_(std::move(parts)),
          epoch_(epoch),
          queue_(kTransfersPerPeerMax),
          lease_timer_(parts_.loop) {}

    ~Impl() { *alive_ = false; }

    void attach(LinkEvents& events) { events_ = &events; }

    Result<void> open(const LinkOptions& options, const net::KeyPair& key) {
        net::ServerLane::Handlers control;
        control.message = [this](net::LaneMessage& m) { on_control(m); };
        control.lost = [this](RouteId route) { on_control_lost(route); };
        auto bound = net::ServerLane::bind(parts_.loop, parts_.context, parts_.doorkeeper,
                                           net::LaneKind::control, options.control_address, key,
                                           std::move(control), options.control_fd);
        if (!bound)
            return error(bound.error().kind, "--link-addr: " + bound.error().message);
        control_ = std::move(bound).value();

        net::ServerLane::Handlers payload;
        payload.message = [this](net::LaneMessage& m) { on_payload(m); };
        payload.lost = [this](RouteId route) { on_payload_lost(route); };
        payload.writable = [this] {
            queue_.writable();
            pump();
        };
        bound = net::ServerLane::bind(parts_.loop, parts_.context, parts_.doorkeeper,
                                      net::LaneKind::payload, options.payload_address, key,
                                      std::move(payload), options.payload_fd);
        if (!bound)
            return error(bound.error().kind, "--payload-addr: " + bound.error().message);
        payload_ = std::move(bound).value();
        check_lanes();
        return {};
    }

    bool send(const TranscoderKey& to, const ToTranscoder& message) {
        const auto peer = peers_.find(to);
        if (peer == peers_.end() || !peer->second.control)
            return false;
        return send_control(peer->second.control, peer->second.incarnation, message);
    }

    void answer_enrol(const std::string& enrolment_key, const TranscoderKey& key,
                      const ToTranscoder& answer) {
        const auto found = enrolling_.find({enrolment_key, key});
        if (found == enrolling_.end())
            return;
        send_control(found->second.first, found->second.second, answer);
        enrolling_.erase(found);
    }

    void expect(const TranscoderKey& from, TaskId task, AttemptNo attempt, std::uint32_t renditions,
                std::uint64_t bytes_max) {
        expected_[{task, attempt}] = Expectation{from, renditions, bytes_max, {}, {}};
    }

    void allow(TaskId task, AttemptNo attempt, std::uint64_t bytes_max) {
        if (const auto found = expected_.find({task, attempt}); found != expected_.end())
            found->second.bytes_max = bytes_max;
    }

    void start_source(const TranscoderKey& to, const TransferId& id, const PayloadPtr& source,
                      const Sha256& sha256) {
        add_source(to, net::OutgoingTransfer(id, source, sha256));
    }

    void add_source(const TranscoderKey& to, net::OutgoingTransfer transfer) {
        const TransferId id = transfer.id();
        const auto peer = peers_.find(to);
        Result<void> added = error(ErrorKind::disconnected, "the payload lane is down");
        if (peer != peers_.end() && peer->second.payload)
            added = queue_.add(peer->second.payload, std::move(transfer));
        if (!added)
            return tell_failed_later(id, to, added.error());
        pump();
    }

    void append_source(const TranscoderKey& to, const TransferId& id, net::Slice piece) {
        if (net::OutgoingTransfer* transfer = growing(to, id)) {
            transfer->append(std::move(piece));
            pump();
        }
    }

    void finish_source(const TranscoderKey& to, const TransferId& id, const PayloadPtr& whole,
                       const Sha256& sha256) {
        net::OutgoingTransfer* transfer = growing(to, id);
        if (transfer == nullptr)
            return tell_failed_later(
                id, to, error(ErrorKind::disconnected, "the payload lane broke on the way"));
        transfer->finish(whole, sha256);
        pump();
    }

    [[nodiscard]] net::OutgoingTransfer* growing(const TranscoderKey& to, const TransferId& id) {
        const auto peer = peers_.find(to);
        return peer == peers_.end() ? nullptr : queue_.find(peer->second.payload, id);
    }

    void drop(const TranscoderKey& at, TaskId task, AttemptNo attempt) {
        expected_.erase({task, attempt});
        const auto peer = peers_.find(at);
        if (peer == peers_.end() || !peer->second.payload)
            return;
        const TransferId id{task, attempt, Direction::to_transcoder, 0};
        if (queue_.drop(peer->second.payload, id))
            send_payload(at, TransferAbort{id, "the attempt is over"});
    }

    std::vector<PayloadPtr> take_renditions(TaskId task, AttemptNo attempt) {
        const auto node = expected_.extract({task, attempt});
        std::vector<PayloadPtr> renditions;
        if (node.empty())
            return renditions;
        renditions.resize(node.mapped().renditions);
        for (const auto& [index, payload] : node.mapped().complete)
            renditions[index] = payload;
        return renditions;
    }

    void forget(const TranscoderKey& key) {
        if (const auto peer = peers_.find(key); peer != peers_.end()) {
            queue_.drop_peer(peer->second.payload);
            peers_.erase(peer);
        }
        std::erase_if(expected_, [&key](const auto& entry) { return entry.second.from == key; });
    }

    [[nodiscard]] std::string control_endpoint() const { return control_->endpoint(); }
    [[nodiscard]] std::string payload_endpoint() const { return payload_->endpoint(); }
    [[nodiscard]] LinkCounters counters() const {
        LinkCounters counters = counters_;
        counters.refused = control_ ? control_->counters().refused : 0;
        return counters;
    }

private:
    // ---- control lane ----
    void on_control(net::LaneMessage& message) {
        const auto allowed = parts_.doorkeeper.find(message.user);
        if (!allowed)  // taken off the list while connected
            return;
        const auto decoded = decode_from_transcoder(message.header);
        const auto* known = decoded ? std::get_if<FromTranscoder>(&*decoded) : nullptr;
        if (known == nullptr) {
            ++counters_.undecodable;
            return;
        }
        const std::string user(message.user);
        if (allowed->enrolled)
            on_transcoder(message.route, {user}, *known);
        else if (const auto* request = std::get_if<Enrol>(&known->message))
            on_enrol(message.route, user, known->fence, *request);
        else
            ++counters_.unexpected;
    }

    void on_enrol(RouteId route, const std::string& user, const Fence& fence,
                  const Enrol& request) {
        if (enrolling_.size() >= kEnrolmentsMax && !enrolling_.contains({user, request.key}))
            return;
        enrolling_[{user, request.key}] = {route, fence.incarnation};
        events_->link_enrol(user, request);
    }

    // Two processes with one key: the one that said Hello last is the transcoder, the other is asked who it
    // is and gets its turn when it says Hello again.
    void on_transcoder(RouteId route, const TranscoderKey& key, const FromTranscoder& message) {
        Peer& peer = peers_[key];
        const bool hello = std::holds_alternative<Hello>(message.message);
        if (hello || !peer.control) {
            peer.control = route;
            peer.incarnation = message.fence.incarnation;
        } else if (peer.control != route) {
            send_control(route, message.fence.incarnation, WhoAreYou{});
            return;
        }
        events_->link_message(key, message);
    }

    void on_control_lost(RouteId route) {
        std::erase_if(enrolling_,
                      [route](const auto& entry) { return entry.second.first == route; });
        for (auto& [key, peer] : peers_) {
            if (peer.control != route)
                continue;
            peer.control = {};
            const TranscoderKey lost = key;
            events_->link_lost(lost);
            return;
        }
    }

    bool send_control(RouteId route, Incarnation incarnation, const ToTranscoder& message) {
        const auto bytes = encode(FromOrchestrator{{epoch_, incarnation}, message});
        const auto result = control_->send(route, bytes);
        counters_.send_would_block += result == net::SendResult::would_block ? 1 : 0;
        counters_.send_gone += result == net::SendResult::gone ? 1 : 0;
        return result == net::SendResult::sent;
    }

    // ---- payload lane ----
    void on_payload(net::LaneMessage& message) {
        const auto allowed = parts_.doorkeeper.find(message.user);
        if (!allowed || !allowed->enrolled)
            return;
        const auto decoded = decode_payload(message.header);
        const auto* known = decoded ? std::get_if<PayloadEnvelope>(&*decoded) : nullptr;
        if (known == nullptr) {
            ++counters_.undecodable;
            return;
        }
        const TranscoderKey key{std::string(message.user)};
        if (const auto* hello = std::get_if<LaneHello>(&known->message))
            return on_lane_hello(message.route, key, known->fence, hello->nonce);
        const auto peer = peers_.find(key);
        if (peer == peers_.end() || peer->second.payload != message.route ||
            known->fence.epoch != epoch_) {
            ++counters_.unexpected;
            return;
        }
        peer->second.payload_seen = parts_.loop.now();
        if (!peer->second.payload_up)  // it was silent beyond the lease and speaks again
            set_payload_up(key, peer->second, true);
        if (const auto* chunk = std::get_if<Chunk>(&known->message))
            on_chunk(key, message, *chunk);
        else if (const auto* credit = std::get_if<Credit>(&known->message))
            on_credit(key, message.route, *credit);
        else if (const auto* abort = std::get_if<TransferAbort>(&known->message))
            on_abort(key, message.route, *abort);
        else if (const auto* beat = std::get_if<LaneBeat>(&known->message))
            send_payload(key, *beat);
    }

    void on_lane_hello(RouteId route, const TranscoderKey& key, const Fence& fence,
                       std::uint64_t nonce) {
        Peer& peer = peers_[key];
        if (peer.payload && peer.payload != route)
            queue_.drop_peer(peer.payload);
        peer.payload = route;
        peer.nonce = nonce;
        peer.payload_seen = parts_.loop.now();
        const auto bytes = encode(PayloadEnvelope{{epoch_, fence.incarnation}, LaneWelcome{nonce}});
        if (payload_->send(route, bytes) == net::SendResult::sent)
            set_payload_up(key, peer, true);
    }

    // The events may change the peers: `peer` is not to be used afterwards.
    void set_payload_up(const TranscoderKey& key, Peer& peer, bool up) {
        peer.payload_up = up;
        const TranscoderKey whose = key;
        events_->link_payload_lane(whose, peer.nonce, up);
    }

    void on_payload_lost(RouteId route) {
        for (auto& [key, peer] : peers_) {
            if (peer.payload != route)
                continue;
            queue_.drop_peer(route);
            peer.payload = {};
            return set_payload_up(key, peer, false);
        }
    }

    // Once every kLaneCheckEvery; one lane a turn, since the events may change the peers.
    void check_lanes() {
        lease_timer_.set(parts_.loop.now() + kLaneCheckEvery, [this] { check_lanes(); });
        for (auto& [key, peer] : peers_)
            if (peer.payload_up && parts_.loop.now() - peer.payload_seen > kLaneLease)
                return set_payload_up(key, peer, false);
    }

    void on_chunk(const TranscoderKey& key, const net::LaneMessage& message, const Chunk& chunk) {
        const TransferId id = chunk.transfer;
        const auto expected = expected_.find({id.task, id.attempt});
        if (expected == expected_.end() || expected->second.from != key ||
            id.direction != Direction::to_orchestrator || id.index >= expected->second.renditions) {
            ++counters_.unexpected;
            send_payload(key, TransferAbort{id, "nobody waits for this rendition"});
            return;
        }
        Expectation& expectation = expected->second;
        auto coming = expectation.coming.find(id.index);
        if (coming != expectation.coming.end() && coming->second.route != message.route) {
            expectation.coming.erase(coming);
            coming = expectation.coming.end();
        }
        if (coming == expectation.coming.end())
            coming = expectation.coming
                         .emplace(id.index, Incoming{message.route,
                                                     net::IncomingTransfer(id, parts_.pool,
                                                                           expectation.bytes_max)})
                         .first;
        counters_.bytes_received += message.body.bytes().size();
        auto progress = coming->second.transfer.on_chunk(chunk, message.body.bytes());
        if (!progress) {
            expectation.coming.erase(coming);
            send_payload(key, TransferAbort{id, progress.error().message});
            return events_->link_transfer_failed(id, key, progress.error());
        }
        if (progress->credit)
            send_payload(key, *progress->credit);
        if (!progress->complete)
            return events_->link_progress(id, key);
        on_rendition(key, expectation, id);
    }

    void on_rendition(const TranscoderKey& key, Expectation& expectation, const TransferId& id) {
        const auto node = expectation.coming.extract(id.index);
        const net::IncomingTransfer& transfer = node.mapped().transfer;
        // Sent again after a broken connection: the first one stands.
        if (!expectation.complete.emplace(id.index, transfer.payload()).second)
            return;
        events_->link_rendition(id, key, transfer.bytes_received(), transfer.sha256());
    }

    void on_credit(const TranscoderKey& key, RouteId route, const Credit& credit) {
        if (const auto accepted = queue_.on_credit(route, credit); !accepted) {
            queue_.drop(route, credit.transfer);
            return events_->link_transfer_failed(credit.transfer, key, accepted.error());
        }
        pump();
        events_->link_progress(credit.transfer, key);
    }

    void on_abort(const TranscoderKey& key, RouteId route, const TransferAbort& abort) {
        const TransferId& id = abort.transfer;
        bool known = false;
        if (id.direction == Direction::to_transcoder) {
            known = queue_.drop(route, id);
        } else if (const auto expected = expected_.find({id.task, id.attempt});
                   expected != expected_.end() && expected->second.from == key) {
            known = expected->second.coming.erase(id.index) > 0;
        }
        if (known)
            events_->link_transfer_failed(id, key, error(ErrorKind::disconnected, abort.reason));
    }

    void send_payload(const TranscoderKey& to, const PayloadMessage& message) {
        const auto peer = peers_.find(to);
        if (peer == peers_.end() || !peer->second.payload)
            return;
        const auto bytes = encode(PayloadEnvelope{{epoch_, peer->second.incarnation}, message});
        if (payload_->send(peer->second.payload, bytes) == net::SendResult::would_block)
            ++counters_.send_would_block;
    }

    net::SendResult send_chunk(RouteId route, const Chunk& chunk, const net::Slice& body) {
        // The incarnation fences nothing here: a route ends with its process.
        const auto bytes = encode(PayloadEnvelope{{epoch_, {}}, chunk});
        const auto result = payload_->send(route, bytes, body);
        if (result == net::SendResult::sent)
            counters_.bytes_sent += body.bytes.size();
        return result;
    }

    void pump() {
        const auto pumped =
            queue_.pump([this](RouteId route, const Chunk& chunk, const net::Slice& body) {
                return send_chunk(route, chunk, body);
            });
        if (!pumped.more || pump_posted_)
            return;
        pump_posted_ = true;
        parts_.loop.post([this, alive = alive_] {
            if (!*alive)
                return;
            pump_posted_ = false;
            pump();
        });
    }

    // Not from inside the effect that asked for the transfer.
    void tell_failed_later(const TransferId& id, const TranscoderKey& with, const Error& problem) {
        parts_.loop.post([this, alive = alive_, id, with, problem] {
            if (*alive)
                events_->link_transfer_failed(id, with, problem);
        });
    }

    Parts parts_;
    LinkEvents* events_ = nullptr;
    Epoch epoch_;
    std::map<TranscoderKey, Peer> peers_;
    std::map<std::pair<std::string, TranscoderKey>, std::pair<RouteId, Incarnation>> enrolling_;
    std::map<AttemptKey, Expectation> expected_;
    net::TransferQueue queue_;
    Timer lease_timer_;
    LinkCounters counters_;
    bool pump_posted_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::unique_ptr<net::ServerLane> control_;
    std::unique_ptr<net::ServerLane> payload_;
};

TranscoderLink::TranscoderLink(Parts parts, Epoch epoch)
    : impl_(std::make_unique<Impl>(std::move(parts), epoch)) {}
TranscoderLink::~TranscoderLink() = default;

void TranscoderLink::attach(LinkEvents& events) {
    impl_->attach(events);
}
Result<void> TranscoderLink::open(const LinkOptions& options, const net::KeyPair& key) {
    return impl_->open(options, key);
}
std::string TranscoderLink::control_endpoint() const {
    return impl_->control_endpoint();
}
std::string TranscoderLink::payload_endpoint() const {
    return impl_->payload_endpoint();
}

bool TranscoderLink::send(const TranscoderKey& to, const ToTranscoder& message) {
    return impl_->send(to, message);
}
void TranscoderLink::answer_enrol(const std::string& enrolment_key, const TranscoderKey& key,
                                  const ToTranscoder& answer) {
    impl_->answer_enrol(enrolment_key, key, answer);
}
void TranscoderLink::expect(const TranscoderKey& from, TaskId task, AttemptNo attempt,
                            std::uint32_t renditions, std::uint64_t bytes_max) {
    impl_->expect(from, task, attempt, renditions, bytes_max);
}
void TranscoderLink::allow(TaskId task, AttemptNo attempt, std::uint64_t bytes_max) {
    impl_->allow(task, attempt, bytes_max);
}
void TranscoderLink::start_source(const TranscoderKey& to, const TransferId& transfer,
                                  PayloadPtr source, const Sha256& sha256) {
    impl_->start_source(to, transfer, source, sha256);
}
void TranscoderLink::start_early_source(const TranscoderKey& to, const TransferId& transfer) {
    impl_->add_source(to, net::OutgoingTransfer(transfer));
}
void TranscoderLink::append_source(const TranscoderKey& to, const TransferId& transfer,
                                   net::Slice piece) {
    impl_->append_source(to, transfer, std::move(piece));
}
void TranscoderLink::finish_source(const TranscoderKey& to, const TransferId& transfer,
                                   const PayloadPtr& whole, const Sha256& sha256) {
    impl_->finish_source(to, transfer, whole, sha256);
}
void TranscoderLink::drop(const TranscoderKey& at, TaskId task, AttemptNo attempt) {
    impl_->drop(at, task, attempt);
}
std::vector<PayloadPtr> TranscoderLink::take_renditions(TaskId task, AttemptNo attempt) {
    return impl_->take_renditions(task, attempt);
}
void TranscoderLink::forget(const TranscoderKey& key) {
    impl_->forget(key);
}
LinkCounters TranscoderLink::counters() const {
    return impl_->counters();
}

}  // namespace millrace::orchestrator
