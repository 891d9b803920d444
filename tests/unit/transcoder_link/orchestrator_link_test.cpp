// A link against real ROUTER lanes on loopback, with the orchestrator's part played by the test.

#include "transcoder/link/orchestrator_link.h"

#include <algorithm>
#include <map>

#include "common/net/zap.h"
#include "common/wire/codec.h"
#include "tests/support/catch.h"
#include "tests/unit/transcoder_link/bytes.h"

namespace millrace::transcoder {
namespace {

using namespace std::chrono_literals;

constexpr OrchestratorIndex kHere{0};
constexpr Fence kFence{Epoch{7}, Incarnation{99}};
constexpr Duration kPatience = 10s;

// One for each test; they end with the program (common/net/context.h says why).
net::Context& fresh_context() {
    static std::vector<std::unique_ptr<net::Context>> contexts;
    contexts.push_back(std::make_unique<net::Context>());
    return *contexts.back();
}

// What a link tells, written down.
struct Diary final : LinkEvents {
    std::vector<LaneEvent> events;
    std::vector<FromOrchestrator> control;
    std::vector<PayloadEnvelope> payload;
    std::map<TaskRef, int> arrivals;
    std::map<TaskRef, PayloadPtr> sources;
    std::map<TaskRef, Error> broken;
    std::vector<TaskRef> sent;

    void link_event(OrchestratorIndex, LaneEvent event) override { events.push_back(event); }
    void link_control(OrchestratorIndex, const FromOrchestrator& message) override {
        control.push_back(message);
    }
    void link_payload(OrchestratorIndex, const PayloadEnvelope& message) override {
        payload.push_back(message);
    }
    void link_source_arrived(TaskRef task) override { ++arrivals[task]; }
    void link_source(TaskRef task, PayloadPtr source, const Sha256&) override {
        sources[task] = source;
    }
    void link_source_broken(TaskRef task, const Error& problem) override {
        broken.emplace(task, problem);
    }
    void link_renditions_sent(TaskRef task) override { sent.push_back(task); }

    [[nodiscard]] bool saw(LaneEvent event) const {
        return std::find(events.begin(), events.end(), event) != events.end();
    }
};

// An orchestrator's sockets, and the link under test.
struct Pair {
    net::Context& context = fresh_context();
    Loop loop;
    std::unique_ptr<net::ZapHandler> doorkeeper;
    net::KeyPair server = net::make_key_pair();
    net::KeyPair own = net::make_key_pair();
    net::JoinToken token = net::make_join_token(server.public_key, 0);
    std::shared_ptr<BlockPool> pool = std::make_shared<BlockPool>();
    std::unique_ptr<net::ServerLane> control_lane;
    std::unique_ptr<net::ServerLane> payload_lane;
    net::RouteId control_route;
    net::RouteId payload_route;
    std::string user;
    std::vector<FromTranscoder> heard;
    std::vector<PayloadEnvelope> heard_payload;
    std::map<std::uint32_t, std::vector<std::uint8_t>> renditions;
    bool give_credit = true;
    Diary diary;
    std::unique_ptr<OrchestratorLink> link;

    Pair() {
        auto started = net::ZapHandler::start(context);
        REQUIRE(started);
        doorkeeper = std::move(*started);
        doorkeeper->open();
        control_lane = bind(net::LaneKind::control, [this](net::LaneMessage& m) { on_control(m); });
        payload_lane = bind(net::LaneKind::payload, [this](net::LaneMessage& m) { on_payload(m); });
    }

    std::unique_ptr<net::ServerLane> bind(net::LaneKind kind,
                                          std::function<void(net::LaneMessage&)> handler) {
        auto lane = net::ServerLane::bind(loop, context, *doorkeeper, kind, "127.0.0.1:0", server,
                                          {std::move(handler)});
        REQUIRE(lane);
        return std::move(*lane);
    }

    void on_control(net::LaneMessage& message) {
        control_route = message.route;
        user = message.user;
        const auto decoded = decode_from_transcoder(message.header);
        REQUIRE(decoded);
        heard.push_back(std::get<FromTranscoder>(*decoded));
    }

    void on_payload(net::LaneMessage& message) {
        payload_route = message.route;
        const auto decoded = decode_payload(message.header);
        REQUIRE(decoded);
        const auto& envelope = std::get<PayloadEnvelope>(*decoded);
        heard_payload.push_back(envelope);
        if (const auto* chunk = std::get_if<Chunk>(&envelope.message)) {
            auto& bytes = renditions[chunk->transfer.index];
            if (chunk->offset == 0)
                bytes.clear();
            const auto body = message.body.bytes();
            bytes.insert(bytes.end(), body.begin(), body.end());
            if (give_credit && !chunk->last)
                say_payload(Credit{chunk->transfer, bytes.size() + kCreditAtStart});
        }
    }

    void make_link(Credentials credentials) {
        link = std::make_unique<OrchestratorLink>(
            OrchestratorLink::Parts{loop, context, own, pool, diary, 32 * 1024 * 1024}, kHere,
            control_lane->endpoint(), std::move(credentials));
    }
    void make_enrolled_link() {
        doorkeeper->allow(own.public_key, {true, "", 0});
        make_link(Credentials(server.public_key, {}));
    }
    // Both lanes up and bound, as after Welcome and LaneWelcome.
    void join() {
        make_enrolled_link();
        link->open_control(false);
        wait([&] { return diary.saw(LaneEvent::connected); });
        bind_payload(5);
    }
    void bind_payload(std::uint64_t nonce) {
        heard_payload.clear();
        diary.payload.clear();
        const auto port = payload_lane->endpoint().substr(payload_lane->endpoint().find(':'));
        link->open_payload(port);
        wait([&] {
            if (heard_payload.empty())
                link->send_payload({kFence, LaneHello{nonce}});
            return !heard_payload.empty();
        });
        say_payload(LaneWelcome{nonce});
        wait([&] { return !diary.payload.empty(); });
    }

    void say(ToTranscoder message) {
        const auto bytes = encode(FromOrchestrator{kFence, std::move(message)});
        REQUIRE(control_lane->send(control_route, bytes) == net::SendResult::sent);
    }
    void say_payload(PayloadMessage message, net::Slice body = {}, Fence fence = kFence) {
        const auto bytes = encode(PayloadEnvelope{fence, std::move(message)});
        REQUIRE(payload_lane->send(payload_route, bytes, std::move(body)) == net::SendResult::sent);
    }
    void send_source(const CutSource& source, std::size_t from, std::size_t to,
                     Fence fence = kFence) {
        for (std::size_t i = from; i < to; ++i)
            say_payload(source.chunk(i), {nullptr, source.body(i)}, fence);
    }
    void wait(const std::function<bool()>& done) {
        // Wakes now and then, so that a condition may also do something.
        const TimePoint end = loop.now() + kPatience;
        while (!done()) {
            REQUIRE(loop.now() < end);
            (void)loop.run_until(done, loop.now() + 20ms);
        }
    }
};

const TaskRef kTask{kHere, TaskId{1}, AttemptNo{1}};

SegmentKey key_of(const CutSource& source) {
    SegmentKey key;
    key.sha256 = source.sha256();
    return key;
}

}  // namespace

TEST_CASE("the payload lane is where Welcome says, seen from the control lane",
          "[transcoder][lanes]") {
    CHECK(*payload_address("10.0.0.1:8936", ":8937") == "10.0.0.1:8937");
    CHECK(*payload_address("10.0.0.1:8936", "0.0.0.0:8937") == "10.0.0.1:8937");
    CHECK(*payload_address("10.0.0.1:8936", "*:8937") == "10.0.0.1:8937");
    CHECK(*payload_address("[::1]:8936", ":8937") == "[::1]:8937");
    CHECK(*payload_address("mill.example:8936", "other.example:1") == "other.example:1");
    CHECK_FALSE(payload_address("10.0.0.1:8936", "nonsense"));
    CHECK_FALSE(payload_address("10.0.0.1:8936", ""));
}

TEST_CASE_METHOD(Pair, "enrolling goes over the token's key and names the token",
                 "[transcoder][lanes]") {
    const auto enrolment = net::key_pair_of(token.enrolment).public_key;
    doorkeeper->allow(enrolment, {false, token.id_hex(), 0});
    make_link(Credentials(std::nullopt, {token}));
    link->open_control(true);
    wait([&] { return diary.saw(LaneEvent::connected); });
    link->send_control({{Epoch{}, kFence.incarnation}, Enrol{{own.public_key.z85()}, "", "mill"}});
    wait([&] { return !heard.empty(); });
    CHECK(user == enrolment.z85());
    CHECK(std::get<Enrol>(heard[0].message).token_id == token.id_hex());

    doorkeeper->allow(own.public_key, {true, token.id_hex(), 0});
    say(Enrolled{"mill"});
    wait([&] { return !diary.control.empty(); });
    CHECK(link->server() == server.public_key);
    diary.events.clear();
    link->open_control(false);
    wait([&] { return diary.saw(LaneEvent::connected); });
    link->send_control({{Epoch{}, kFence.incarnation}, Goodbye{"over my own key"}});
    wait([&] { return heard.size() == 2; });
    CHECK(user == own.public_key.z85());
}

TEST_CASE_METHOD(Pair, "a key or token the doorkeeper does not know is refused",
                 "[transcoder][lanes]") {
    SECTION("our own key") {
        make_link(Credentials(server.public_key, {}));
        link->open_control(false);
        wait([&] { return diary.saw(LaneEvent::refused); });
    }
    SECTION("a token") {
        make_link(Credentials(std::nullopt, {token}));
        link->open_control(true);
        wait([&] { return diary.saw(LaneEvent::refused); });
    }
    SECTION("a token past its time") {
        make_link(Credentials(std::nullopt, {net::make_join_token(server.public_key, 1)}));
        link->open_control(true);
        wait([&] { return diary.saw(LaneEvent::expired); });
    }
    CHECK_FALSE(diary.saw(LaneEvent::connected));
}

TEST_CASE_METHOD(Pair, "another orchestrator than the token's is foreign, after every token",
                 "[transcoder][lanes]") {
    const auto other = net::make_join_token(net::make_key_pair().public_key, 0);
    SECTION("no token fits") {
        make_link(Credentials(std::nullopt, {other}));
        link->open_control(true);
        wait([&] { return diary.saw(LaneEvent::foreign); });
    }
    SECTION("the second one fits") {
        doorkeeper->allow(net::key_pair_of(token.enrolment).public_key, {false, token.id_hex(), 0});
        make_link(Credentials(std::nullopt, {other, token}));
        link->open_control(true);
        wait([&] { return diary.saw(LaneEvent::connected); });
        CHECK_FALSE(diary.saw(LaneEvent::foreign));
    }
}

TEST_CASE_METHOD(Pair, "nobody there is unreachable", "[transcoder][lanes]") {
    make_enrolled_link();
    control_lane.reset();
    link->open_control(false);
    wait([&] { return diary.saw(LaneEvent::unreachable); });
}

TEST_CASE_METHOD(Pair, "an orchestrator that dies is lost", "[transcoder][lanes]") {
    join();
    control_lane.reset();
    wait([&] { return diary.saw(LaneEvent::lost); });
}

TEST_CASE_METHOD(Pair, "bytes that are no message are counted and dropped", "[transcoder][lanes]") {
    join();
    link->send_control({kFence, Goodbye{"so that the other side knows the route"}});
    wait([&] { return !heard.empty(); });
    const std::vector<std::uint8_t> junk{1, 2, 3};
    REQUIRE(control_lane->send(control_route, junk) == net::SendResult::sent);
    REQUIRE(payload_lane->send(payload_route, junk) == net::SendResult::sent);
    wait([&] { return link->counters().undecodable == 2; });
    say(WhoAreYou{});
    wait([&] { return !diary.control.empty(); });
}

TEST_CASE_METHOD(Pair, "a source arrives whole, under credit", "[transcoder][lanes]") {
    join();
    const CutSource source{.bytes = pattern(3 * 1024 * 1024)};
    link->expect_source(kTask, key_of(source), source.bytes.size());
    std::size_t sent = 0;
    std::uint64_t limit = kCreditAtStart;
    wait([&] {
        for (const auto& envelope : heard_payload)
            if (const auto* credit = std::get_if<Credit>(&envelope.message))
                limit = std::max(limit, credit->limit);
        while (sent < source.chunks() && (sent + 1) * kBlockBytes <= limit) {
            send_source(source, sent, sent + 1);
            ++sent;
        }
        return diary.sources.contains(kTask);
    });
    CHECK(diary.arrivals[kTask] > 0);
    CHECK(bytes_of(diary.sources[kTask]) == source.bytes);
    CHECK(link->counters().bytes_received == source.bytes.size());
}

TEST_CASE_METHOD(Pair, "a source may overtake its dispatch", "[transcoder][lanes]") {
    join();
    const CutSource source{.bytes = pattern(300'000)};
    send_source(source, 0, source.chunks());
    wait([&] { return link->counters().bytes_received == source.bytes.size(); });
    CHECK(diary.sources.empty());
    link->expect_source(kTask, key_of(source), source.bytes.size());
    CHECK(diary.sources.contains(kTask));
}

TEST_CASE_METHOD(Pair, "a source with wrong bytes is broken", "[transcoder][lanes]") {
    join();
    const CutSource source{.bytes = pattern(1000)};
    SegmentKey other = key_of(source);
    other.sha256[0] = static_cast<std::uint8_t>(other.sha256[0] + 1);
    link->expect_source(kTask, other, 1000);
    send_source(source, 0, 1);
    wait([&] { return diary.broken.contains(kTask); });
    CHECK(diary.sources.empty());
}

TEST_CASE_METHOD(Pair, "chunks under another fence belong to nobody", "[transcoder][lanes]") {
    join();
    const CutSource source{.bytes = pattern(1000)};
    link->expect_source(kTask, key_of(source), 1000);
    send_source(source, 0, 1, Fence{Epoch{6}, kFence.incarnation});
    wait([&] { return link->counters().unexpected == 1; });
    CHECK(diary.sources.empty());
}

TEST_CASE_METHOD(Pair, "an abort of the orchestrator breaks the source", "[transcoder][lanes]") {
    join();
    const CutSource source{.bytes = pattern(1000)};
    link->expect_source(kTask, key_of(source), 1000);
    say_payload(TransferAbort{source.chunk(0).transfer, "no more"});
    wait([&] { return diary.broken.contains(kTask); });
}

TEST_CASE_METHOD(Pair, "renditions leave in chunks and are sent when the last one has left",
                 "[transcoder][lanes]") {
    join();
    const auto small = pattern(1000, 3);
    const auto large = pattern(5 * 1024 * 1024, 4);
    REQUIRE(link->add_rendition(kTask, 0, make_payload(pool, small), sha256_of(small)));
    REQUIRE(link->add_rendition(kTask, 1, make_payload(pool, large), sha256_of(large)));
    link->complete_renditions(kTask);
    wait([&] { return renditions[1].size() == large.size() && !diary.sent.empty(); });
    CHECK(renditions[0] == small);
    CHECK(renditions[1] == large);
    CHECK(diary.sent == std::vector{kTask});
}

TEST_CASE_METHOD(Pair, "after a new payload lane renditions go out again from the start",
                 "[transcoder][lanes]") {
    join();
    give_credit = false;
    const auto large = pattern(2 * 1024 * 1024, 4);
    REQUIRE(link->add_rendition(kTask, 0, make_payload(pool, large), sha256_of(large)));
    link->complete_renditions(kTask);
    wait([&] { return renditions[0].size() == kCreditAtStart; });
    CHECK(diary.sent.empty());
    give_credit = true;
    bind_payload(6);
    wait([&] { return renditions[0].size() == large.size() && !diary.sent.empty(); });
    CHECK(renditions[0] == large);
}

TEST_CASE_METHOD(Pair, "a payload lane that breaks loses the link", "[transcoder][lanes]") {
    join();
    payload_lane.reset();
    wait([&] { return diary.saw(LaneEvent::lost); });
}

TEST_CASE_METHOD(Pair, "a goodbye leaves before the lane is closed", "[transcoder][lanes]") {
    join();
    link->send_control({kFence, Goodbye{"drained"}});
    link->close();
    wait([&] { return !heard.empty(); });
    CHECK(std::holds_alternative<Goodbye>(heard[0].message));
}

}  // namespace millrace::transcoder
