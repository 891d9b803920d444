#include "transcoder/core/link_policy.h"

#include "tests/unit/transcoder_core/rig.h"

namespace millrace::transcoder {
namespace {

CoreConfig with_token(std::uint32_t orchestrators = 1) {
    CoreConfig config = a_config(2, orchestrators);
    for (OrchestratorEntry& entry : config.orchestrators) {
        entry.enrolled = false;
        entry.has_token = true;
        entry.token_id = "00ff";
    }
    return config;
}

}  // namespace

TEST_CASE("a new transcoder enrols with its token, then joins with its own key",
          "[transcoder][link]") {
    Rig rig(with_token());
    CHECK(rig.all<OpenControl>() == std::vector{OpenControl{kFirst, true}});
    rig.event(LaneEvent::connected);
    rig.pass(0s);
    REQUIRE(rig.sent<Enrol>().size() == 1);
    CHECK(rig.sent<Enrol>()[0] == Enrol{TranscoderKey{std::string(40, 'k')}, "00ff", "mill"});
    rig.receive(kFirst, Enrolled{"mill-2"});
    CHECK(rig.all<RememberOrchestrator>() == std::vector{RememberOrchestrator{kFirst, "mill-2"}});
    CHECK(rig.all<OpenControl>().back() == OpenControl{kFirst, false});
    rig.join();
    CHECK(rig.core.status().orchestrators[0].joined);
    CHECK(rig.core.ready());
}

TEST_CASE("Enrol is repeated until it is answered", "[transcoder][link]") {
    Rig rig(with_token());
    rig.pass(2s, false);
    CHECK(rig.sent<Enrol>().size() >= 3);
}

TEST_CASE("an enrolled transcoder says hello under epoch 0 until it is welcome",
          "[transcoder][link]") {
    Rig rig;
    CHECK(rig.all<OpenControl>() == std::vector{OpenControl{kFirst, false}});
    rig.pass(2s, false);
    CHECK(rig.sent<Hello>().size() >= 3);
    CHECK(rig.sent<Hello>().size() <= 5);  // 500 ms and up to half of that as jitter
    CHECK(rig.all<SendControl>()[0].message.fence == Fence{Epoch{0}, rig.incarnation});
    CHECK(rig.sent<Hello>()[0].nonce != 0);
    CHECK(rig.sent<Hello>()[0].nonce == rig.sent<Hello>()[1].nonce);
    CHECK_FALSE(rig.core.ready());
}

TEST_CASE("the payload lane is bound by the nonce of the hello", "[transcoder][link]") {
    Rig rig;
    rig.pass(0s, false);
    rig.welcome(kFirst, Epoch{7});
    CHECK(rig.all<OpenPayload>() == std::vector{OpenPayload{kFirst, ":8937"}});
    rig.pass(1s);
    REQUIRE(rig.sent_payload<LaneHello>().size() >= 2);
    const std::uint64_t nonce = rig.sent<Hello>()[0].nonce;
    CHECK(rig.sent_payload<LaneHello>()[0].nonce == nonce);
    rig.core.on_payload(kFirst, {{Epoch{7}, rig.incarnation}, LaneWelcome{nonce + 1}}, rig.now);
    CHECK_FALSE(rig.core.ready());
    rig.core.on_payload(kFirst, {{Epoch{7}, rig.incarnation}, LaneWelcome{nonce}}, rig.now);
    CHECK(rig.core.ready());
    CHECK(rig.all<LinkChanged>() == std::vector{LinkChanged{kFirst, true, "joined as mill"}});
}

TEST_CASE("a joined transcoder sends a heartbeat and a lane beat a second", "[transcoder][link]") {
    Rig rig;
    rig.join();
    (void)rig.take();
    rig.pass(10s);
    CHECK(rig.sent<Heartbeat>().size() == 10);
    CHECK(rig.sent_payload<LaneBeat>().size() == 10);
    CHECK(rig.sent<Hello>().empty());
    CHECK(rig.core.ready());
}

TEST_CASE("the round trip of a heartbeat is measured and told", "[transcoder][link]") {
    Rig rig;
    rig.join();
    (void)rig.take();
    rig.pass(1s, false);
    const auto beats = rig.sent<Heartbeat>();
    REQUIRE(beats.size() == 1);
    rig.now += 20ms;
    rig.receive(kFirst, HeartbeatAck{beats[0].number, beats[0].sent_at_us});
    CHECK(rig.core.status().orchestrators[0].rtt_ms == 20.0);
    rig.receive(kFirst, HeartbeatAck{beats[0].number + 5, 0});  // made up
    CHECK(rig.core.status().orchestrators[0].rtt_ms == 20.0);
}

TEST_CASE("no answer for a lease loses the link: fresh sockets, hello again",
          "[transcoder][link]") {
    Rig rig;
    rig.join();
    (void)rig.take();
    rig.pass(2900ms, false);
    CHECK(rig.all<OpenControl>().empty());
    rig.pass(1100ms, false);
    CHECK(rig.all<CloseLanes>().size() == 1);
    REQUIRE(rig.all<OpenControl>().size() == 1);
    CHECK_FALSE(rig.core.ready());
    CHECK(rig.sent<Hello>().size() >= 1);
}

TEST_CASE("a payload lane that falls silent loses the link although control answers",
          "[transcoder][link]") {
    Rig rig;
    rig.join();
    (void)rig.take();
    for (int i = 0; i < 40; ++i) {
        rig.pass(100ms, false);
        for (const Heartbeat& beat : rig.sent<Heartbeat>())
            rig.receive(kFirst, HeartbeatAck{beat.number, beat.sent_at_us});
    }
    CHECK(rig.all<OpenControl>().size() == 1);
}

TEST_CASE("a cut connection is noticed at once", "[transcoder][link]") {
    Rig rig;
    rig.join();
    (void)rig.take();
    rig.event(LaneEvent::lost);
    CHECK(rig.all<OpenControl>().size() == 1);
    CHECK_FALSE(rig.core.ready());
}

TEST_CASE("what runs or waits survives a short break of the same epoch and is held up in the hello",
          "[transcoder][link]") {
    Rig rig(a_config(2));
    rig.join();
    rig.dispatch(1, "a");
    rig.dispatch(2, "a");
    rig.receive(kFirst, a_dispatch(3, "a"));  // still arriving: lost with the lane
    rig.event(LaneEvent::lost);
    (void)rig.take();
    rig.pass(1s, false);
    rig.finish(kSlot0, ref(1));
    rig.pass(500ms, false);
    rig.core.engine_progress(kSlot0, ref(2), 1s, 2s, 1, rig.now);
    const auto hellos = rig.sent<Hello>();
    REQUIRE_FALSE(hellos.empty());
    CHECK(hellos.back().held_epoch == Epoch{7});
    CHECK(hellos.back().held ==
          std::vector{HeldTask{TaskId{1}, AttemptNo{1}}, HeldTask{TaskId{2}, AttemptNo{1}}});
    rig.welcome(kFirst, Epoch{7});
    rig.lane_welcome(kFirst);
    CHECK(rig.all<StopEngine>().empty());
    rig.core.renditions_sent(ref(1), rig.now);  // over the new lane
    CHECK(rig.sent<TaskFinished>().size() == 1);
    CHECK(rig.core.status().slots_reserved == 1);
    CHECK(rig.core.status().tasks_active == 1);
}

TEST_CASE("slots of a lost orchestrator are free for others after the lease",
          "[transcoder][link]") {
    Rig rig(a_config(1, 2));
    rig.join(kFirst);
    rig.join(kSecond, Epoch{3});
    rig.dispatch(1, "a", kFirst);
    rig.event(LaneEvent::lost, kFirst);
    rig.pass(2900ms);
    rig.core.engine_progress(kSlot0, ref(1), 0s, 0s, 0, rig.now);
    rig.reserve("b", kSecond);
    CHECK(rig.sent<SlotRefused>(kSecond).size() == 1);
    rig.pass(200ms);
    CHECK(rig.all<StopEngine>().size() == 1);
    rig.reserve("b", kSecond);
    CHECK(rig.sent<SlotGranted>(kSecond).size() == 1);
}

TEST_CASE("a new epoch voids what the old one gave, and nothing of it is sent any more",
          "[transcoder][link]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    rig.event(LaneEvent::lost);
    (void)rig.take();
    rig.pass(1s, false);
    rig.welcome(kFirst, Epoch{8});
    CHECK(rig.all<StopEngine>().size() == 1);
    CHECK(rig.core.status().slots_reserved == 0);
    rig.finish(kSlot0, ref(1));
    rig.lane_welcome(kFirst);
    rig.core.renditions_sent(ref(1), rig.now);
    CHECK(rig.sent<TaskFinished>().empty());
    CHECK(rig.core.status().orchestrators[0].epoch == Epoch{8});
}

TEST_CASE("a message of a newer epoch makes us say hello again", "[transcoder][link]") {
    Rig rig;
    rig.join();
    rig.dispatch(1, "a");
    (void)rig.take();
    rig.receive(kFirst, Epoch{8}, HeartbeatAck{1, 0});
    CHECK(rig.all<StopEngine>().size() == 1);
    CHECK_FALSE(rig.core.ready());
    rig.pass(600ms, false);
    CHECK(rig.sent<Hello>().size() >= 1);
}

TEST_CASE("a message of an older epoch is recognised and dropped", "[transcoder][link]") {
    Rig rig;
    rig.join();
    (void)rig.take();
    rig.receive(kFirst, Epoch{6}, Reserve{ReservationId{1}, session("a"), {}, 0});
    rig.receive(kFirst, Epoch{6}, WhoAreYou{});
    CHECK(rig.take().empty());
    CHECK(rig.core.ready());
}

TEST_CASE("a message to another incarnation is dropped", "[transcoder][link]") {
    Rig rig;
    rig.join();
    (void)rig.take();
    rig.core.on_message(
        kFirst, {{Epoch{7}, Incarnation{1}}, Reserve{ReservationId{1}, session("a"), {}, 0}},
        rig.now);
    CHECK(rig.take().empty());
}

TEST_CASE("WhoAreYou makes us drop everything and introduce ourselves with a new nonce",
          "[transcoder][link]") {
    Rig rig;
    rig.pass(0s, false);
    const std::uint64_t nonce = rig.sent<Hello>()[0].nonce;
    rig.join();
    rig.dispatch(1, "a");
    rig.receive(kFirst, WhoAreYou{});
    rig.receive(kFirst, WhoAreYou{});  // the answer to something else we had said
    CHECK(rig.core.status().slots_reserved == 0);
    CHECK(rig.all<OpenControl>().empty());
    (void)rig.take();
    rig.pass(600ms, false);
    REQUIRE(rig.sent<Hello>().size() >= 1);
    CHECK(rig.sent<Hello>()[0].nonce != nonce);
    CHECK(rig.sent<Hello>()[0].held.empty());
    rig.welcome(kFirst, Epoch{7});
    rig.lane_welcome(kFirst);
    CHECK(rig.core.ready());
}

TEST_CASE("a welcome that is repeated opens the payload lane once", "[transcoder][link]") {
    Rig rig;
    rig.pass(0s, false);
    rig.welcome(kFirst, Epoch{7});
    rig.welcome(kFirst, Epoch{7});
    CHECK(rig.all<OpenPayload>().size() == 1);
}

TEST_CASE("a refused join ends the process with 77 and says which of the reasons it was",
          "[transcoder][link]") {
    const auto [reason, word] =
        GENERATE(table<JoinRefusal, std::string>({{JoinRefusal::malformed, "malformed"},
                                                  {JoinRefusal::expired, "expired"},
                                                  {JoinRefusal::refused, "refused: "},
                                                  {JoinRefusal::foreign, "foreign orchestrator"},
                                                  {JoinRefusal::protocol, "protocol"}}));
    Rig rig(with_token());
    rig.receive(kFirst, JoinRefused{reason, "because"});
    REQUIRE(rig.exited());
    CHECK(rig.exited()->code == 77);
    CHECK(rig.exited()->message.find(word) != std::string::npos);
    CHECK(rig.exited()->message.find("10.0.0.1:8936") != std::string::npos);
    rig.pass(10s, false);
    CHECK_FALSE(rig.core.next_deadline());
}

TEST_CASE("what the transport says about a token becomes the sentence", "[transcoder][link]") {
    const auto [event, word] =
        GENERATE(table<LaneEvent, std::string>({{LaneEvent::refused, "refused: "},
                                                {LaneEvent::expired, "expired"},
                                                {LaneEvent::foreign, "foreign orchestrator"}}));
    Rig rig(with_token());
    rig.event(event);
    REQUIRE(rig.exited());
    CHECK(rig.exited()->code == 77);
    CHECK(rig.exited()->message.find(word) != std::string::npos);
}

TEST_CASE("a refused key tries the token at hand once", "[transcoder][link]") {
    CoreConfig config = with_token();
    config.orchestrators[0].enrolled = true;
    Rig rig(config);
    CHECK(rig.all<OpenControl>() == std::vector{OpenControl{kFirst, false}});
    rig.event(LaneEvent::refused);
    CHECK(rig.all<OpenControl>().back() == OpenControl{kFirst, true});
    CHECK_FALSE(rig.exited());
    rig.receive(kFirst, Enrolled{"mill"});
    CHECK(rig.all<OpenControl>().back() == OpenControl{kFirst, false});
    rig.event(LaneEvent::refused);
    REQUIRE(rig.exited());
    CHECK(rig.exited()->code == 77);
}

TEST_CASE("without a token and without an earlier join nothing is tried", "[transcoder][link]") {
    CoreConfig config = a_config();
    config.orchestrators[0].enrolled = false;
    Rig rig(config);
    REQUIRE(rig.exited());
    CHECK(rig.exited()->code == 77);
    CHECK(rig.exited()->message.find("--join-token") != std::string::npos);
}

TEST_CASE("one of several orchestrators may refuse; the process ends when none is left",
          "[transcoder][link]") {
    Rig rig(with_token(2));
    rig.event(LaneEvent::foreign, kFirst);
    CHECK_FALSE(rig.exited());
    CHECK(rig.all<LinkChanged>().size() == 1);
    rig.receive(kSecond, Enrolled{"mill"});
    rig.join(kSecond);
    CHECK(rig.core.ready());
    rig.event(LaneEvent::refused, kSecond);  // the key
    rig.event(LaneEvent::refused, kSecond);  // and then the token
    REQUIRE(rig.exited());
    CHECK(rig.exited()->code == 77);
    CHECK(rig.exited()->message.find("foreign") != std::string::npos);
}

TEST_CASE("an orchestrator that cannot be reached is tried for ever", "[transcoder][link]") {
    Rig rig;
    for (int i = 0; i < 3600; ++i) {
        rig.event(LaneEvent::unreachable);
        rig.pass(1s, false);
        (void)rig.all<Exit>();
    }
    CHECK_FALSE(rig.exited());
    CHECK(rig.all<LinkChanged>().size() == 1);  // said once
}

TEST_CASE("with --exit-if-unreachable the process ends with 69", "[transcoder][link]") {
    CoreConfig config = a_config(2, 2);
    config.exit_if_unreachable = true;
    Rig rig(config);
    rig.join(kSecond);
    rig.pass(20s);
    CHECK_FALSE(rig.exited());
    rig.event(LaneEvent::lost, kSecond);
    rig.pass(9s, false);
    CHECK_FALSE(rig.exited());
    rig.pass(1s, false);
    REQUIRE(rig.exited());
    CHECK(rig.exited()->code == 69);
}

TEST_CASE("a greeting that nobody answers gets fresh sockets now and then", "[transcoder][link]") {
    Rig rig;
    rig.event(LaneEvent::connected);
    (void)rig.take();
    rig.pass(10s, false);
    CHECK(rig.all<OpenControl>().size() == 1);
}

}  // namespace millrace::transcoder
