#include "orchestrator/link/transcoder_link.h"

#include <algorithm>

#include "common/net/lane.h"
#include "common/net/transfer.h"
#include "common/runtime/sha256.h"
#include "common/wire/codec.h"
#include "tests/support/catch.h"
#include "tests/unit/orchestrator_link/fixture.h"

namespace millrace::orchestrator {
namespace {

constexpr Epoch kEpoch{7};
constexpr Incarnation kIncarnation{42};
constexpr std::uint64_t kNonce = 99;

// What the link told, in order of kind.
struct Heard final : LinkEvents {
    std::vector<std::pair<TranscoderKey, FromTranscoder>> messages;
    std::vector<Enrol> enrolments;
    std::vector<std::pair<std::uint64_t, bool>> lanes;
    std::vector<TransferId> renditions;
    std::vector<Error> failures;
    int progress = 0;
    int lost = 0;

    void link_message(const TranscoderKey& from, const FromTranscoder& message) override {
        messages.emplace_back(from, message);
    }
    void link_enrol(const std::string&, const Enrol& request) override {
        enrolments.push_back(request);
    }
    void link_lost(const TranscoderKey&) override { ++lost; }
    void link_payload_lane(const TranscoderKey&, std::uint64_t nonce, bool up) override {
        lanes.emplace_back(nonce, up);
    }
    void link_progress(const TransferId&, const TranscoderKey&) override { ++progress; }
    void link_rendition(const TransferId& id, const TranscoderKey&, std::uint64_t,
                        const Sha256&) override {
        renditions.push_back(id);
    }
    void link_transfer_failed(const TransferId&, const TranscoderKey&,
                              const Error& problem) override {
        failures.push_back(problem);
    }
};

// A transcoder's two lanes, without a core behind them.
struct FakeTranscoder {
    net::KeyPair key = net::make_key_pair();
    net::ClientLane control;
    net::ClientLane payload;
    std::vector<FromOrchestrator> said;
    std::vector<PayloadMessage> lane_said;
    std::vector<std::uint8_t> received;  // bytes of chunks

    explicit FakeTranscoder(Loop& loop)
        : control(loop, test_context(), net::LaneKind::control,
                  {[this](net::LaneMessage& m) {
                       const auto decoded = decode_from_orchestrator(m.header);
                       said.push_back(std::get<FromOrchestrator>(*decoded));
                   },
                   {},
                   {}}),
          payload(loop, test_context(), net::LaneKind::payload,
                  {[this](net::LaneMessage& m) {
                       const auto decoded = decode_payload(m.header);
                       lane_said.push_back(std::get<PayloadEnvelope>(*decoded).message);
                       const auto bytes = m.body.bytes();
                       received.insert(received.end(), bytes.begin(), bytes.end());
                   },
                   {},
                   {}}) {}

    [[nodiscard]] TranscoderKey id() const { return {key.public_key.z85()}; }
    void say(const ToOrchestrator& message) {
        (void)control.send(encode(FromTranscoder{{kEpoch, kIncarnation}, message}));
    }
    void say(const PayloadMessage& message, net::Slice body = {}) {
        (void)payload.send(encode(PayloadEnvelope{{kEpoch, kIncarnation}, message}),
                           std::move(body));
    }
    template <class Message>
    [[nodiscard]] bool was_told() const {
        return std::any_of(said.begin(), said.end(), [](const FromOrchestrator& m) {
            return std::holds_alternative<Message>(m.message);
        });
    }
    template <class Message>
    [[nodiscard]] bool lane_was_told() const {
        return std::any_of(lane_said.begin(), lane_said.end(), [](const PayloadMessage& m) {
            return std::holds_alternative<Message>(m);
        });
    }
};

struct Bench : Door {
    std::shared_ptr<BlockPool> pool = std::make_shared<BlockPool>();
    Heard heard;
    TranscoderLink link{{loop, test_context(), *doorkeeper, pool}, kEpoch};
    FakeTranscoder worker{loop};

    Bench() {
        doorkeeper->open();
        link.attach(heard);
        REQUIRE(link.open({"127.0.0.1:0", "127.0.0.1:0"}, key));
    }

    void wait(const std::function<bool()>& done) {
        REQUIRE(loop.run_until(done, loop.now() + std::chrono::seconds(10)));
    }

    // Enrolled, both lanes up.
    void join() {
        doorkeeper->allow(worker.key.public_key, {true, "", 0});
        REQUIRE(worker.control.connect({link.control_endpoint(), key.public_key, worker.key}));
        REQUIRE(worker.payload.connect({link.payload_endpoint(), key.public_key, worker.key}));
        wait([&] { return worker.control.is_up() && worker.payload.is_up(); });
        worker.say(ToOrchestrator{Hello{}});
        worker.say(PayloadMessage{LaneHello{kNonce}});
        wait([&] { return !heard.messages.empty() && !heard.lanes.empty(); });
    }

    PayloadPtr bytes(std::size_t count) {
        std::vector<std::uint8_t> data(count);
        for (std::size_t i = 0; i < count; ++i)
            data[i] = static_cast<std::uint8_t>(i * 31 + i / 251);
        return make_payload(pool, data);
    }
};

Sha256 hash_of(const Payload& payload) {
    Sha256Hasher hasher;
    for (std::size_t i = 0; i < payload.block_count(); ++i)
        hasher.update(payload.block(i));
    return hasher.finish();
}

}  // namespace

TEST_CASE("an enrolled transcoder is heard under its key and answered", "[link]") {
    Bench bench;
    bench.join();
    CHECK(bench.heard.messages.front().first == bench.worker.id());
    CHECK(bench.heard.lanes.front() == std::pair<std::uint64_t, bool>(kNonce, true));
    REQUIRE(bench.link.send(bench.worker.id(), Welcome{"w1", "", 1000, 3000}));
    bench.wait([&] { return bench.worker.was_told<Welcome>(); });
    CHECK(bench.worker.said.front().fence == Fence{kEpoch, kIncarnation});
    bench.wait([&] { return bench.worker.lane_was_told<LaneWelcome>(); });
}

TEST_CASE("over a token's key only Enrol is heard", "[link]") {
    Bench bench;
    const TranscoderKey own{net::make_key_pair().public_key.z85()};
    bench.doorkeeper->allow(bench.worker.key.public_key, {false, "0011223344556677", 0});
    REQUIRE(bench.worker.control.connect(
        {bench.link.control_endpoint(), bench.key.public_key, bench.worker.key}));
    bench.wait([&] { return bench.worker.control.is_up(); });
    bench.worker.say(ToOrchestrator{Hello{}});
    bench.worker.say(ToOrchestrator{Enrol{own, "0011223344556677", "w1"}});
    bench.wait([&] { return !bench.heard.enrolments.empty(); });
    CHECK(bench.heard.messages.empty());
    CHECK(bench.link.counters().unexpected == 1);
    bench.link.answer_enrol(bench.worker.key.public_key.z85(), own, Enrolled{"w1"});
    bench.wait([&] { return bench.worker.was_told<Enrolled>(); });
}

TEST_CASE("a source goes out in chunks under credit", "[link]") {
    Bench bench;
    bench.join();
    const auto source = bench.bytes(3 * 1024 * 1024 + 17);
    const TransferId id{TaskId{1}, AttemptNo{1}, Direction::to_transcoder, 0};
    bench.link.start_source(bench.worker.id(), id, source, hash_of(*source));
    // Without credit no more than the start credit comes.
    bench.wait([&] { return bench.worker.received.size() >= kCreditAtStart; });
    CHECK(bench.worker.received.size() == kCreditAtStart);
    for (std::uint64_t limit = 2 * kCreditAtStart; bench.worker.received.size() < source->size();
         limit += kCreditAtStart) {
        const auto before = bench.worker.received.size();
        bench.worker.say(PayloadMessage{Credit{id, limit}});
        bench.wait([&] { return bench.worker.received.size() > before; });
        bench.wait([&] {
            return bench.worker.received.size() >= std::min<std::size_t>(limit, source->size());
        });
    }
    std::vector<std::uint8_t> expected(source->size());
    source->read(0, expected);
    CHECK(bench.worker.received == expected);
    CHECK(bench.heard.progress > 0);
}

TEST_CASE("a rendition that is expected is received, another is refused", "[link]") {
    Bench bench;
    bench.join();
    const auto rendition = bench.bytes(300'000);
    const TransferId id{TaskId{1}, AttemptNo{2}, Direction::to_orchestrator, 1};
    const auto send = [&](const TransferId& as) {
        net::OutgoingTransfer out(as, rendition, hash_of(*rendition));
        while (out.ready()) {
            const auto next = out.next();
            bench.worker.say(PayloadMessage{next.chunk}, next.body);
            out.sent();
        }
    };
    bench.link.expect(bench.worker.id(), id.task, id.attempt, 2, 1'000'000);
    send({TaskId{1}, AttemptNo{3}, Direction::to_orchestrator, 1});  // no such attempt
    send({TaskId{1}, AttemptNo{2}, Direction::to_orchestrator, 2});  // beyond the ladder
    send(id);
    bench.wait([&] { return !bench.heard.renditions.empty(); });
    CHECK(bench.heard.renditions == std::vector<TransferId>{id});
    CHECK(bench.link.counters().unexpected == 4);  // two chunks each
    const auto taken = bench.link.take_renditions(id.task, id.attempt);
    REQUIRE(taken.size() == 2);
    CHECK(taken[0] == nullptr);
    CHECK(taken[1]->size() == rendition->size());
    CHECK(bench.link.take_renditions(id.task, id.attempt).empty());
}

TEST_CASE("a rendition larger than announced ends the transfer", "[link]") {
    Bench bench;
    bench.join();
    const auto rendition = bench.bytes(300'000);
    const TransferId id{TaskId{1}, AttemptNo{1}, Direction::to_orchestrator, 0};
    bench.link.expect(bench.worker.id(), id.task, id.attempt, 1, 1000);
    net::OutgoingTransfer out(id, rendition, hash_of(*rendition));
    const auto next = out.next();
    bench.worker.say(PayloadMessage{next.chunk}, next.body);
    bench.wait([&] { return !bench.heard.failures.empty(); });
    CHECK(bench.heard.renditions.empty());
    bench.wait([&] { return bench.worker.lane_was_told<TransferAbort>(); });
}

TEST_CASE("garbage on either lane is counted and dropped", "[link]") {
    Bench bench;
    bench.join();
    const std::vector<std::uint8_t> garbage(64, 0xff);
    (void)bench.worker.control.send(garbage);
    (void)bench.worker.payload.send(garbage);
    bench.wait([&] { return bench.link.counters().undecodable == 2; });
    bench.worker.say(ToOrchestrator{Heartbeat{}});
    bench.wait([&] { return bench.heard.messages.size() == 2; });
}

TEST_CASE("a connection that ends is told at once, on both lanes", "[link]") {
    Bench bench;
    bench.join();
    bench.worker.control.disconnect();
    bench.worker.payload.disconnect();
    bench.wait([&] { return bench.heard.lost == 1 && bench.heard.lanes.size() == 2; });
    CHECK(bench.heard.lanes.back() == std::pair<std::uint64_t, bool>(kNonce, false));
    CHECK_FALSE(bench.link.send(bench.worker.id(), WhoAreYou{}));
}

TEST_CASE("a source for a transcoder without a payload lane fails, and not inside the call",
          "[link]") {
    Bench bench;
    const auto source = bench.bytes(100);
    bench.link.start_source(bench.worker.id(),
                            {TaskId{1}, AttemptNo{1}, Direction::to_transcoder, 0}, source,
                            hash_of(*source));
    CHECK(bench.heard.failures.empty());
    bench.wait([&] { return bench.heard.failures.size() == 1; });
}

}  // namespace millrace::orchestrator
