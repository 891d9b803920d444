#include "common/net/transfer_queue.h"

#include <map>
#include <set>

#include "common/base/rng.h"
#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::net;

namespace {

TransferId id(std::uint64_t task, std::uint32_t index = 0) {
    return {{task}, {1}, Direction::to_transcoder, index};
}

OutgoingTransfer transfer(const TransferId& which, std::size_t blocks) {
    static const std::vector<std::uint8_t> bytes(16 * kBlockBytes);
    OutgoingTransfer made(which);
    made.append({nullptr, std::span(bytes).first(blocks * kBlockBytes)});
    made.finish({});
    return made;
}

struct Sent {
    RouteId peer;
    Chunk chunk;
};

// A sink that writes down what it was given and answers by peer.
struct Lane {
    std::vector<Sent> sent;
    std::map<RouteId, SendResult> answers{};
    int asked = 0;

    TransferQueue::Sink sink() {
        return [this](RouteId peer, const Chunk& chunk, const Slice&) {
            ++asked;
            const auto answer = answers.find(peer);
            const SendResult result = answer == answers.end() ? SendResult::sent : answer->second;
            if (result == SendResult::sent)
                sent.push_back({peer, chunk});
            return result;
        };
    }
};

const RouteId kA{1}, kB{2}, kC{3};

}  // namespace

TEST_CASE("peers take turns, and so do the transfers of one peer") {
    TransferQueue queue(8);
    Lane lane;
    REQUIRE(queue.add(kA, transfer(id(1), 3)));
    REQUIRE(queue.add(kA, transfer(id(2), 3)));
    REQUIRE(queue.add(kB, transfer(id(3), 3)));
    auto pumped = queue.pump(lane.sink());
    std::vector<std::uint64_t> order;
    for (const Sent& sent : lane.sent)
        order.push_back(sent.chunk.transfer.task.value);
    CHECK(order == std::vector<std::uint64_t>{1, 3, 2, 3, 1, 3, 2, 1, 2});
    CHECK(pumped.finished.size() == 3);
    CHECK_FALSE(pumped.more);
    CHECK(queue.empty());
}

TEST_CASE("a full peer is passed over, is not asked again before it has room, and loses nothing") {
    TransferQueue queue(8);
    Lane lane;
    lane.answers[kA] = SendResult::would_block;
    REQUIRE(queue.add(kA, transfer(id(1), 2)));
    REQUIRE(queue.add(kB, transfer(id(2), 2)));
    auto pumped = queue.pump(lane.sink());
    CHECK(pumped.finished.size() == 1);
    CHECK_FALSE(pumped.more);
    CHECK(lane.asked == 3);
    pumped = queue.pump(lane.sink());
    CHECK(lane.asked == 3);

    lane.answers.clear();
    queue.writable();
    pumped = queue.pump(lane.sink());
    CHECK(pumped.finished == std::vector<std::pair<RouteId, TransferId>>{{kA, id(1)}});
    CHECK(lane.sent.back().chunk.offset == kBlockBytes);
}

TEST_CASE("transfers stop at their credit and go on with more") {
    TransferQueue queue(8);
    Lane lane;
    REQUIRE(queue.add(kA, transfer(id(1), 6)));
    auto pumped = queue.pump(lane.sink());
    CHECK(lane.sent.size() == 4);
    CHECK_FALSE(pumped.more);
    REQUIRE(queue.on_credit(kA, {id(1), 6 * kBlockBytes}));
    REQUIRE(queue.on_credit(kA, {id(9), 1}));  // finished long ago, say
    REQUIRE(queue.on_credit(kC, {id(1), 1}));
    CHECK_FALSE(queue.on_credit(kA, {id(1), 100 * kBlockBytes}));
    pumped = queue.pump(lane.sink());
    CHECK(lane.sent.size() == 6);
    CHECK(pumped.finished.size() == 1);
}

TEST_CASE("a peer that is gone is reported once with all of its transfers dropped") {
    TransferQueue queue(8);
    Lane lane;
    lane.answers[kA] = SendResult::gone;
    REQUIRE(queue.add(kA, transfer(id(1), 2)));
    REQUIRE(queue.add(kA, transfer(id(2), 2)));
    REQUIRE(queue.add(kB, transfer(id(3), 1)));
    const auto pumped = queue.pump(lane.sink());
    CHECK(pumped.gone == std::vector<RouteId>{kA});
    CHECK(lane.asked == 2);
    CHECK(queue.empty());
}

TEST_CASE("a pump is bounded and says that there is more") {
    TransferQueue queue(8);
    Lane lane;
    REQUIRE(queue.add(kA, transfer(id(1), 4)));
    auto pumped = queue.pump(lane.sink(), 3);
    CHECK(lane.sent.size() == 3);
    CHECK(pumped.more);
    pumped = queue.pump(lane.sink(), 3);
    CHECK(lane.sent.size() == 4);
    CHECK_FALSE(pumped.more);
}

TEST_CASE("places per peer are bounded, and ids are not used twice at once") {
    TransferQueue queue(2);
    REQUIRE(queue.add(kA, transfer(id(1), 1)));
    const auto twice = queue.add(kA, transfer(id(1), 1));
    REQUIRE_FALSE(twice);
    CHECK(twice.error().kind == ErrorKind::bad_input);
    REQUIRE(queue.add(kA, transfer(id(2), 1)));
    const auto full = queue.add(kA, transfer(id(3), 1));
    REQUIRE_FALSE(full);
    CHECK(full.error().kind == ErrorKind::overloaded);
    REQUIRE(queue.add(kB, transfer(id(3), 1)));
    CHECK(queue.drop(kA, id(1)));
    CHECK_FALSE(queue.drop(kA, id(1)));
    CHECK(queue.drop_peer(kA) == std::vector<TransferId>{id(2)});
    CHECK(queue.drop_peer(kA).empty());
    CHECK(queue.size() == 1);
}

TEST_CASE("random operations deliver every chunk once, in order, and starve nobody") {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        Rng rng(seed);
        TransferQueue queue(4);
        Lane lane;
        std::map<std::pair<RouteId, TransferId>, std::uint64_t> expected;  // next offset
        std::map<std::pair<RouteId, TransferId>, std::size_t> sizes;
        std::uint64_t next_task = 1;
        std::size_t finished = 0, dropped = 0;
        const auto sink = [&](RouteId peer, const Chunk& chunk, const Slice& body) {
            if (rng.chance(0.2))
                return SendResult::would_block;
            const std::pair key{peer, chunk.transfer};
            REQUIRE(expected.count(key) == 1);
            REQUIRE(chunk.offset == expected[key]);
            expected[key] += body.bytes.size();
            REQUIRE(chunk.last == (expected[key] == sizes[key]));
            return SendResult::sent;
        };
        const auto step = [&](bool grow) {
            const RouteId peer{1 + rng.below(5)};
            if (grow && rng.chance(0.3)) {
                const TransferId which = id(next_task++);
                const std::size_t blocks = 1 + rng.below(10);
                if (queue.add(peer, transfer(which, blocks))) {
                    expected[{peer, which}] = 0;
                    sizes[{peer, which}] = blocks * kBlockBytes;
                }
            }
            for (const auto& [key, offset] : expected)
                if (rng.chance(grow ? 0.3 : 1))
                    REQUIRE(queue.on_credit(key.first, {key.second, offset + kCreditAtStart}));
            if (grow && rng.chance(0.05)) {
                for (const TransferId& which : queue.drop_peer(peer))
                    dropped += expected.erase({peer, which});
            }
            if (!grow || rng.chance(0.5))
                queue.writable();
            for (const auto& done : queue.pump(sink, 1 + rng.below(10)).finished) {
                REQUIRE(expected[done] == sizes[done]);
                finished += expected.erase(done);
            }
        };
        for (int i = 0; i < 300; ++i)
            step(true);
        for (int i = 0; i < 2000 && !queue.empty(); ++i)
            step(false);
        REQUIRE(queue.empty());
        REQUIRE(finished + dropped == sizes.size());
    }
}
