// The traffic through common/net as orchestrator and transcoder use it: two lanes, chunks of 256 KiB,
// credit, headers encoded and decoded by common/wire, every payload copied into pooled blocks and hashed
// where it arrives.

#include <chrono>
#include <future>
#include <map>
#include <thread>

#include "benchmarks/link.h"
#include "common/base/check.h"
#include "common/net/context.h"
#include "common/net/lane.h"
#include "common/net/transfer_queue.h"
#include "common/runtime/loop.h"
#include "common/wire/codec.h"

namespace millrace::bench {

namespace {

using Clock = std::chrono::steady_clock;
using namespace net;

const Fence kFence{{1}, {1}};

double us_since(TimePoint start) {
    return to_seconds(Clock::now() - start) * 1e6;
}

template <class T>
T must(Result<T> result, const char* what) {
    MR_CHECK(result, what);
    return std::move(*result);
}

// The sending side.
class Orchestrator {
public:
    Orchestrator(const Traffic& traffic, const PayloadPtr& payload)
        : traffic_(traffic),
          payload_(payload),
          sha256_(hash(payload)),
          doorkeeper_(must(ZapHandler::start(context_), "doorkeeper")),
          queue_(64) {
        doorkeeper_->open();
        control_ = bind(LaneKind::control,
                        {[this](LaneMessage& m) { (void)control_->send(m.route, m.header); }});
        payload_lane_ = bind(
            LaneKind::payload,
            {[this](LaneMessage& m) { on_payload(m); }, {}, [this] { queue_.writable(), pump(); }});
    }

    void admit(const PublicKey& key) { doorkeeper_->allow(key, {}); }
    // On the loop: starts sending.
    void send_all() {
        left_ = traffic_.payloads;
        for (int i = 0; i < traffic_.payloads_at_once; ++i)
            add_next();
        pump();
    }

    Context context_;  // before everything that has a socket
    Loop loop;
    KeyPair own = make_key_pair();
    std::unique_ptr<ServerLane> control_, payload_lane_;

private:
    static Sha256 hash(const PayloadPtr& payload) {
        Sha256Hasher hasher;
        for (std::size_t i = 0; i < payload->block_count(); ++i)
            hasher.update(payload->block(i));
        return hasher.finish();
    }
    std::unique_ptr<ServerLane> bind(LaneKind kind, ServerLane::Handlers handlers) {
        return must(ServerLane::bind(loop, context_, *doorkeeper_, kind, "127.0.0.1:0", own,
                                     std::move(handlers)),
                    "bind");
    }
    void add_next() {
        if (left_-- <= 0)
            return;
        const TransferId id{{++task_}, {1}, Direction::to_transcoder, 0};
        MR_CHECK(queue_.add(route_, {id, payload_, sha256_}), "a free place");
    }
    void on_payload(LaneMessage& message) {
        route_ = message.route;
        auto decoded = decode_payload(message.header);
        MR_CHECK(decoded, "a message of ours");
        const auto& envelope = std::get<PayloadEnvelope>(*decoded);
        if (const auto* credit = std::get_if<Credit>(&envelope.message))
            MR_CHECK(queue_.on_credit(route_, *credit), "good credit");
        pump();
    }
    void pump() {
        const auto pumped = queue_.pump([this](RouteId to, const Chunk& chunk, const Slice& body) {
            return payload_lane_->send(to, encode(PayloadEnvelope{kFence, chunk}), body);
        });
        for (std::size_t i = 0; i < pumped.finished.size(); ++i)
            add_next();
        if (pumped.more || !pumped.finished.empty())
            loop.post([this] { pump(); });
    }

    const Traffic& traffic_;
    PayloadPtr payload_;
    Sha256 sha256_;
    std::unique_ptr<ZapHandler> doorkeeper_;
    TransferQueue queue_;
    RouteId route_;
    int left_ = 0;
    std::uint64_t task_ = 0;
};

// The receiving side, which also pings.
class Transcoder {
public:
    Transcoder(const Traffic& traffic, std::shared_ptr<BlockPool> pool)
        : traffic_(traffic),
          pool_(std::move(pool)),
          control_(loop, context_, LaneKind::control,
                   {[this](LaneMessage&) { on_pong(); }, [this](LinkEvent e) { on_event(e); }}),
          payload_lane_(
              loop, context_, LaneKind::payload,
              {[this](LaneMessage& m) { on_payload(m); }, [this](LinkEvent e) { on_event(e); }}),
          pause_(loop) {}

    void connect(const Orchestrator& orchestrator) {
        const auto to = [&](const ServerLane& lane) {
            return ClientLane::Target{lane.endpoint(), orchestrator.own.public_key, own};
        };
        MR_CHECK(control_.connect(to(*orchestrator.control_)), "connect");
        MR_CHECK(payload_lane_.connect(to(*orchestrator.payload_lane_)), "connect");
        MR_CHECK(loop.run_until([this] { return up_ == 2; }, loop.now() + std::chrono::seconds(5)),
                 "both lanes come up");
        const LaneHello hello{1};
        MR_CHECK(payload_lane_.send(encode(PayloadEnvelope{kFence, hello})) == SendResult::sent,
                 "hello");
    }
    void expect(int payloads, std::function<void()> done) {
        missing_ = payloads;
        all_there_ = std::move(done);
    }
    // Sends pings until `count` came back or stop_pinging(); count 0 = until then.
    void ping(int count, Duration interval, std::function<void()> done) {
        pings_left_ = count;
        interval_ = interval;
        pings_done_ = std::move(done);
        send_ping();
    }
    void stop_pinging() {
        pings_left_ = -1;
        pause_.cancel();
    }

    Context context_;
    Loop loop;
    KeyPair own = make_key_pair();
    std::vector<double> round_trips_us;

private:
    void on_event(LinkEvent event) { up_ += event == LinkEvent::up ? 1 : 0; }
    void send_ping() {
        pinged_at_ = loop.now();
        const std::vector<std::uint8_t> header(traffic_.control_bytes);
        MR_CHECK(control_.send(header) == SendResult::sent, "ping");
    }
    void on_pong() {
        if (pings_left_ < 0)
            return;
        round_trips_us.push_back(us_since(pinged_at_));
        if (pings_left_ != 0 && --pings_left_ == 0) {
            pings_left_ = -1;
            return pings_done_();
        }
        if (interval_ == Duration::zero())
            send_ping();
        else
            pause_.set(loop.now() + interval_, [this] { send_ping(); });
    }
    void on_payload(LaneMessage& message) {
        auto decoded = decode_payload(message.header);
        MR_CHECK(decoded, "a message of ours");
        const auto& chunk = std::get<Chunk>(std::get<PayloadEnvelope>(*decoded).message);
        auto [at, fresh] =
            incoming_.try_emplace(chunk.transfer, chunk.transfer, pool_, traffic_.payload_bytes);
        const auto progress =
            must(at->second.on_chunk(chunk, message.body.bytes()), "a transfer goes well");
        if (progress.credit)
            MR_CHECK(payload_lane_.send(encode(PayloadEnvelope{kFence, *progress.credit})) ==
                         SendResult::sent,
                     "credit leaves");
        if (!progress.complete)
            return;
        incoming_.erase(at);
        if (--missing_ == 0)
            all_there_();
    }

    const Traffic& traffic_;
    std::shared_ptr<BlockPool> pool_;
    ClientLane control_, payload_lane_;
    Timer pause_;
    std::map<TransferId, IncomingTransfer> incoming_;
    int up_ = 0, missing_ = 0, pings_left_ = -1;
    Duration interval_{};
    TimePoint pinged_at_{};
    std::function<void()> all_there_, pings_done_;
};

class OurLanes : public Link {
public:
    explicit OurLanes(const Traffic& traffic)
        : traffic_(traffic),
          pool_(std::make_shared<BlockPool>()),
          orchestrator_(traffic_,
                        make_payload(pool_, std::vector<std::uint8_t>(traffic.payload_bytes))),
          transcoder_(traffic_, pool_) {
        orchestrator_.admit(transcoder_.own.public_key);
        transcoder_.connect(orchestrator_);
        MR_CHECK(orchestrator_.loop.run_until(
                     [this] { return orchestrator_.payload_lane_->counters().received != 0; },
                     orchestrator_.loop.now() + std::chrono::seconds(5)),
                 "the hello arrives");
        orchestrator_thread_ = std::thread([this] { orchestrator_.loop.run(); });
        transcoder_thread_ = std::thread([this] { transcoder_.loop.run(); });
    }
    ~OurLanes() override {
        orchestrator_.loop.stop();
        transcoder_.loop.stop();
        orchestrator_thread_.join();
        transcoder_thread_.join();
    }

    double send_payloads(double ping_interval, std::vector<double>& round_trips_us) override {
        std::promise<TimePoint> done;
        const TimePoint start = Clock::now();
        transcoder_.loop.post([&] {
            transcoder_.expect(traffic_.payloads, [&] { done.set_value(Clock::now()); });
            if (ping_interval > 0)
                transcoder_.ping(
                    0, std::chrono::nanoseconds(static_cast<long>(ping_interval * 1e9)), {});
            orchestrator_.loop.post([this] { orchestrator_.send_all(); });
        });
        const TimePoint end = done.get_future().get();
        collect(round_trips_us);
        return to_seconds(end - start);
    }

    std::vector<double> ping(int count) override {
        std::promise<void> done;
        transcoder_.loop.post(
            [&] { transcoder_.ping(count, Duration::zero(), [&] { done.set_value(); }); });
        done.get_future().get();
        std::vector<double> round_trips_us;
        collect(round_trips_us);
        return round_trips_us;
    }

private:
    void collect(std::vector<double>& round_trips_us) {
        std::promise<void> done;
        transcoder_.loop.post([&] {
            transcoder_.stop_pinging();
            round_trips_us.insert(round_trips_us.end(), transcoder_.round_trips_us.begin(),
                                  transcoder_.round_trips_us.end());
            transcoder_.round_trips_us.clear();
            done.set_value();
        });
        done.get_future().get();
    }

    Traffic traffic_;
    std::shared_ptr<BlockPool> pool_;
    Orchestrator orchestrator_;
    Transcoder transcoder_;
    std::thread orchestrator_thread_, transcoder_thread_;
};

}  // namespace

std::unique_ptr<Link> make_our_lanes(const Traffic& traffic) {
    return std::make_unique<OurLanes>(traffic);
}

}  // namespace millrace::bench
