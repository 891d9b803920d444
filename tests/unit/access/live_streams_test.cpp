#include "orchestrator/access/live_streams.h"

#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::orchestrator;

TEST_CASE("a stream belongs to its live session, then to its last", "[access][streams]") {
    LiveStreams streams;
    CHECK_FALSE(streams.owner({"cam"}));
    streams.opened({"cam"}, {"s1"}, {"acme"});
    CHECK(streams.live({"cam"}) == SessionId{"s1"});
    streams.ended({"cam"}, {"s1"});
    CHECK_FALSE(streams.live({"cam"}));
    CHECK(streams.owner({"cam"}) == AccountId{"acme"});
    streams.opened({"cam"}, {"s2"}, {"other"});
    streams.ended({"cam"}, {"s1"});  // late news of the first
    CHECK(streams.live({"cam"}) == SessionId{"s2"});
    CHECK(streams.owner({"cam"}) == AccountId{"other"});
}

TEST_CASE("only so many ended streams are remembered, and no live one is lost",
          "[access][streams]") {
    LiveStreams streams;
    streams.opened({"back"}, {"s0"}, {"acme"});
    streams.ended({"back"}, {"s0"});
    streams.opened({"back"}, {"s0"}, {"acme"});
    for (std::size_t i = 0; i <= kEndedStreamsMax; ++i) {
        const StreamName name{"cam" + std::to_string(i)};
        streams.opened(name, {name.value}, {"acme"});
        streams.ended(name, {name.value});
    }
    CHECK(streams.live({"back"}) == SessionId{"s0"});
    CHECK_FALSE(streams.owner({"cam0"}));
    CHECK(streams.owner({"cam" + std::to_string(kEndedStreamsMax)}));
}
