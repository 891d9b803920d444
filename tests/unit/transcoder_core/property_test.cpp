// Random operations against naive recounts: whatever happens, in whatever order, slots are not
// over-granted, engines get one task at a time and in order, nothing is said to an epoch that is
// over, and every task ends once.

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "common/base/rng.h"
#include "tests/unit/transcoder_core/rig.h"

namespace millrace::transcoder {
namespace {

class Storm {
public:
    explicit Storm(std::uint64_t seed)
        : rng_(seed),
          orchestrators_(1 + static_cast<std::uint32_t>(rng_.below(3))),
          core_(config(seed)),
          peers_(orchestrators_) {
        core_.start(now_);
        judge();
    }

    void step() {
        now_ += Duration(static_cast<std::int64_t>(rng_.below(200'000'000)));
        act();
        judge();
        core_.advance_to(now_);
        judge();
    }

    // Engines answer, peers go on acknowledging nothing: everything held must end by itself.
    void wind_down() {
        for (std::uint32_t i = 0; i < orchestrators_; ++i)
            core_.lane_event(OrchestratorIndex{i}, LaneEvent::lost, now_);
        judge();
        now_ += 40s;
        core_.advance_to(now_);
        judge();
        CHECK(open_.empty());
        CHECK(core_.status().slots_reserved == 0);
    }

    std::uint64_t grants() const { return grants_; }
    std::uint64_t ended() const { return ended_; }

private:
    struct Peer {
        Epoch epoch;
        std::uint64_t nonce = 0;
        Heartbeat beat;
        std::uint64_t next_task = 1;
    };

    CoreConfig config(std::uint64_t seed) {
        CoreConfig config = a_config(1 + static_cast<std::uint32_t>(rng_.below(3)), orchestrators_);
        config.seed = seed;
        slots_ = config.slots;
        for (std::uint64_t gpus = rng_.below(3); gpus > 0; --gpus)
            config.gpus.push_back({rng_.chance(0.5)
                                       ? std::optional<std::uint32_t>(1 + rng_.below(2))
                                       : std::nullopt});
        return config;
    }

    OrchestratorIndex any_peer() {
        return OrchestratorIndex{static_cast<std::uint32_t>(rng_.below(orchestrators_))};
    }
    std::string any_session() { return "s" + std::to_string(rng_.below(5)); }
    TaskRef any_task() {
        if (open_.empty() || rng_.chance(0.05))
            return ref(1 + rng_.below(50), 1 + rng_.below(2), any_peer());
        auto it = open_.begin();
        std::advance(it, static_cast<long>(rng_.below(open_.size())));
        return *it;
    }
    std::pair<SlotNo, TaskRef> any_run() {
        if (busy_.empty() || rng_.chance(0.05))
            return {SlotNo{static_cast<std::uint32_t>(rng_.below(4))}, any_task()};
        auto it = busy_.begin();
        std::advance(it, static_cast<long>(rng_.below(busy_.size())));
        return *it;
    }
    void hear(OrchestratorIndex from, ToTranscoder message) {
        const Epoch epoch = rng_.chance(0.02) ? Epoch{1 + rng_.below(4)} : peers_[from.value].epoch;
        core_.on_message(from, {{epoch, Incarnation{99}}, std::move(message)}, now_);
    }

    void act() {
        const OrchestratorIndex from = any_peer();
        Peer& peer = peers_[from.value];
        switch (rng_.below(18)) {
            case 0:
                if (rng_.chance(0.3)) {
                    peer.epoch = Epoch{peer.epoch.value + (rng_.chance(0.5) ? 1 : 0)};
                    core_.lane_event(from, LaneEvent::lost, now_);
                }
                break;
            case 1:
            case 2:
                peer.epoch = Epoch{std::max<std::uint64_t>(1, peer.epoch.value)};
                hear(from, Welcome{"mill", ":1", 1000, 3000});
                break;
            case 3:
            case 4:
                core_.on_payload(from, {{peer.epoch, Incarnation{99}}, LaneWelcome{peer.nonce}},
                                 now_);
                break;
            case 5:
            case 6:
                hear(from, HeartbeatAck{peer.beat.number, peer.beat.sent_at_us});
                core_.on_payload(from, {{peer.epoch, Incarnation{99}}, LaneBeat{1}}, now_);
                break;
            case 7:
            case 8:
                hear(from, Reserve{ReservationId{rng_.next()}, session(any_session()), {}, 0});
                break;
            case 9:
                hear(from, Release{session(any_session())});
                break;
            case 10:
            case 11:
            case 12:
                hear(from, a_dispatch(
                               rng_.chance(0.1) ? 1 + rng_.below(peer.next_task) : peer.next_task++,
                               any_session()));
                break;
            case 13: {
                const TaskRef task = any_task();
                if (rng_.chance(0.3))
                    hear(task.orchestrator, Cancel{task.task, task.attempt, {}});
                else
                    core_.renditions_sent(task, now_);
                break;
            }
            case 14:
                core_.source_received(any_task(), now_);
                break;
            case 15: {
                const auto [slot, task] = any_run();
                reported_.insert({slot, task});
                core_.engine_finished(slot, task, {}, {}, now_);
                break;
            }
            case 16: {
                const auto [slot, task] = any_run();
                if (rng_.chance(0.7)) {
                    core_.engine_progress(slot, task, 1s, 2s, 10, now_);
                    break;
                }
                reported_.insert({slot, task});
                if (rng_.chance(0.2))
                    core_.engine_rendition(slot, task, now_);
                const bool device = rng_.chance(0.3);
                core_.engine_failed(slot, task,
                                    error(device ? ErrorKind::device : ErrorKind::internal, "x"),
                                    device || rng_.chance(0.5), now_);
                break;
            }
            case 17:
                if (rng_.chance(0.05))
                    core_.engine_without_gpu(SlotNo{static_cast<std::uint32_t>(rng_.below(4))}, "x",
                                             now_);
                for (std::uint32_t slot = 0; slot < 4; ++slot)
                    core_.engine_ready(SlotNo{slot}, now_);
                if (rng_.chance(0.05)) {
                    slots_ = 1 + static_cast<std::uint32_t>(rng_.below(3));
                    core_.set_slots(slots_, now_);
                }
                break;
            default:
                break;
        }
    }

    void judge() {
        core_.check_invariants();
        for (const Effect& effect : core_.take_effects())
            std::visit([&](const auto& it) { look(it); }, effect);
        std::erase_if(busy_, [&](const auto& run) { return !open_.contains(run.second); });
    }

    void look(const SendControl& sent) {
        Peer& peer = peers_[sent.orchestrator.value];
        const auto& message = sent.message.message;
        if (const auto* hello = std::get_if<Hello>(&message))
            peer.nonce = hello->nonce;
        if (const auto* beat = std::get_if<Heartbeat>(&message)) {
            peer.beat = *beat;
            REQUIRE(beat->slots_free <= beat->slots);
        }
        if (const auto* granted = std::get_if<SlotGranted>(&message)) {
            ++grants_;
            REQUIRE(core_.status().slots_reserved <= 3);
            REQUIRE(granted->slots_free <= 3);
        }
        const bool greeting =
            std::holds_alternative<Hello>(message) || std::holds_alternative<Enrol>(message);
        REQUIRE((sent.message.fence.epoch.value == 0) == greeting);
        if (const auto* finished = std::get_if<TaskFinished>(&message))
            REQUIRE(open_.contains({sent.orchestrator, finished->task, finished->attempt}));
    }
    void look(const ExpectSource& expected) {
        REQUIRE(open_.insert(expected.task).second);
        order_[expected.task] = ++expected_;
    }
    void look(const StartEngine& start) {
        REQUIRE(open_.contains(start.task));
        for (const auto& [slot, task] : busy_)
            REQUIRE((slot != start.slot || reported_.contains({slot, task})));
        busy_[start.slot] = start.task;
        const std::string& name = start.dispatch.segment.session.value;
        auto& last = last_started_[{start.task.orchestrator, name}];
        REQUIRE((last < order_[start.task] || (start.again && last == order_[start.task])));
        REQUIRE((!start.again || again_.insert(start.task).second));  // once
        REQUIRE((!start.again || !start.gpu));
        REQUIRE((!start.gpu || !quarantined_.contains(start.gpu->value)));
        REQUIRE(start.gpu == seat(start.slot));
        last = order_[start.task];
    }
    void look(const GpuFailed& failed) {
        if (failed.quarantined)
            REQUIRE(quarantined_.insert(failed.gpu.value).second);
    }
    void look(const SeatEngine& moved) {
        const SlotNo slot = moved.slot;
        REQUIRE((!busy_.contains(slot) || reported_.contains({slot, busy_[slot]})));
        seat(slot) = moved.gpu;
    }
    // A slot that was not there at the start begins without a GPU.
    Place& seat(SlotNo slot) {
        seats_.resize(std::max<std::size_t>(seats_.size(), slot.value + 1));
        return seats_[slot.value];
    }
    void look(const StopEngine& stop) {
        REQUIRE(busy_.contains(stop.slot));
        REQUIRE(busy_[stop.slot] == stop.task);
        busy_.erase(stop.slot);
    }
    void look(const DropTask& drop) {
        if (open_.erase(drop.task) == 1)
            ++ended_;
    }
    template <class T>
    void look(const T&) {}

    Rng rng_;
    std::uint32_t orchestrators_;
    std::uint32_t slots_ = 1;
    TimePoint now_{1h};
    TranscoderCore core_;
    std::vector<Peer> peers_;
    std::set<TaskRef> open_;
    std::map<SlotNo, TaskRef> busy_;                 // until stopped, or replaced by the next
    std::set<std::pair<SlotNo, TaskRef>> reported_;  // ends that engines reported
    std::vector<Place> seats_ = core_.places();
    std::set<std::uint32_t> quarantined_;
    std::set<TaskRef> again_;
    std::map<TaskRef, std::uint64_t> order_;
    std::map<std::pair<OrchestratorIndex, std::string>, std::uint64_t> last_started_;
    std::uint64_t expected_ = 0;
    std::uint64_t grants_ = 0;
    std::uint64_t ended_ = 0;
};

}  // namespace

TEST_CASE("whatever happens in whatever order, the promises hold", "[transcoder][property]") {
    std::uint64_t grants = 0;
    std::uint64_t ended = 0;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        INFO("seed " << seed);
        Storm storm(seed);
        for (int i = 0; i < 1200; ++i)
            storm.step();
        storm.wind_down();
        grants += storm.grants();
        ended += storm.ended();
    }
    // The storm is worth something only if work gets through it.
    CHECK(grants > 1000);
    CHECK(ended > 1000);
}

TEST_CASE("the same calls at the same times have the same effects", "[transcoder][property]") {
    const auto run = [] {
        Rig rig(a_config(2, 2));
        rig.join(kFirst);
        rig.join(kSecond, Epoch{3});
        rig.dispatch(1, "a");
        rig.dispatch(1, "b", kSecond);
        rig.pass(10s);
        return rig.take();
    };
    CHECK(run() == run());
}

}  // namespace millrace::transcoder
