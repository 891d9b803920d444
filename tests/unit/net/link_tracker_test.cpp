#include "common/net/link_tracker.h"

#include <zmq.h>

#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::net;
using namespace std::chrono_literals;

namespace {

struct Step {
    Duration at;
    int event;
    int value = 0;
};

std::vector<LinkEvent> play(LinkTracker& tracker, const std::vector<Step>& steps) {
    std::vector<LinkEvent> seen;
    for (const Step& step : steps)
        for (const LinkEvent event :
             tracker.on_monitor(TimePoint{} + step.at, step.event, step.value))
            seen.push_back(event);
    return seen;
}

using Events = std::vector<LinkEvent>;
constexpr int kBrokenPipe = 32;

const std::vector<Step> kNobody = {{0ms, ZMQ_EVENT_CLOSED}, {0ms, ZMQ_EVENT_CONNECT_RETRIED}};
const std::vector<Step> kOtherKey = {{0ms, ZMQ_EVENT_CONNECTED},
                                     {1ms, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, kBrokenPipe},
                                     {1ms, ZMQ_EVENT_DISCONNECTED},
                                     {1ms, ZMQ_EVENT_CONNECT_RETRIED}};

}  // namespace

TEST_CASE("what libzmq reports becomes what the owner needs to know") {
    LinkTracker tracker;
    SECTION("nobody there") {
        CHECK(play(tracker, kNobody) == Events{LinkEvent::unreachable});
    }
    SECTION("another server key") {
        CHECK(play(tracker, kOtherKey) == Events{LinkEvent::connected, LinkEvent::not_ours});
        CHECK_FALSE(tracker.stranded());
    }
    SECTION("a final no strands the socket") {
        CHECK(play(tracker, {{0ms, ZMQ_EVENT_CONNECTED},
                             {1ms, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, 400},
                             {1ms, ZMQ_EVENT_DISCONNECTED}}) ==
              Events{LinkEvent::connected, LinkEvent::refused});
        CHECK(tracker.refused());
        CHECK(tracker.stranded());
    }
    SECTION("something that is not ZeroMQ strands the socket, too") {
        CHECK(play(tracker, {{0ms, ZMQ_EVENT_CONNECTED}, {1ms, ZMQ_EVENT_DISCONNECTED}}) ==
              Events{LinkEvent::connected, LinkEvent::not_ours});
        CHECK(tracker.stranded());
        CHECK_FALSE(tracker.refused());
    }
    SECTION("silence in the handshake") {
        CHECK(play(tracker, {{0ms, ZMQ_EVENT_CONNECTED},
                             {2000ms, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL},
                             {2000ms, ZMQ_EVENT_DISCONNECTED},
                             {2000ms, ZMQ_EVENT_CONNECT_RETRIED}}) ==
              Events{LinkEvent::connected, LinkEvent::timed_out});
    }
    SECTION("a life") {
        CHECK(play(tracker, {{0ms, ZMQ_EVENT_CONNECTED}, {1ms, ZMQ_EVENT_HANDSHAKE_SUCCEEDED}}) ==
              Events{LinkEvent::connected, LinkEvent::up});
        CHECK(tracker.is_up());
        CHECK(play(tracker, {{9ms, ZMQ_EVENT_DISCONNECTED}, {9ms, ZMQ_EVENT_CONNECT_RETRIED}}) ==
              Events{LinkEvent::down});
        CHECK_FALSE(tracker.is_up());
        CHECK(play(tracker, kNobody) == Events{LinkEvent::unreachable});
    }
}

TEST_CASE("a join that does not work says why") {
    using Verdict = JoinProbe::Verdict;
    JoinProbe probe;
    CHECK(probe.verdict() == Verdict::pending);
    SECTION("nobody there, then somebody") {
        CHECK(probe.on_event(LinkEvent::unreachable) == Verdict::unreachable);
        CHECK(probe.on_event(LinkEvent::connected) == Verdict::unreachable);
        CHECK(probe.on_event(LinkEvent::up) == Verdict::joined);
    }
    SECTION("a final no") {
        probe.on_event(LinkEvent::connected);
        CHECK(probe.on_event(LinkEvent::refused) == Verdict::refused);
    }
    SECTION("three cut handshakes in a row are a foreign orchestrator, fewer are not") {
        for (int i = 1; i < JoinProbe::kCutsForForeign; ++i)
            CHECK(probe.on_event(LinkEvent::not_ours) == Verdict::pending);
        CHECK(probe.on_event(LinkEvent::not_ours) == Verdict::foreign);
    }
    SECTION("an orchestrator that restarts meanwhile is not foreign") {
        for (int i = 0; i < 10; ++i) {
            CHECK(probe.on_event(LinkEvent::not_ours) == Verdict::pending);
            probe.on_event(LinkEvent::unreachable);
        }
    }
}
