#include "transcoder/link/rendition_outbox.h"

#include "tests/support/catch.h"
#include "tests/unit/transcoder_link/bytes.h"

namespace millrace::transcoder {
namespace {

const RenditionOutbox::Attempt kAttempt{TaskId{1}, AttemptNo{1}};

// A payload lane that takes everything, or says that it is gone.
struct Lane {
    std::vector<Chunk> chunks;
    std::size_t bytes = 0;
    net::SendResult result = net::SendResult::sent;

    RenditionOutbox::Sink sink() {
        return [this](const Chunk& chunk, const net::Slice& body) {
            if (result == net::SendResult::sent) {
                chunks.push_back(chunk);
                bytes += body.bytes.size();
            }
            return result;
        };
    }
};

struct Fixture {
    std::shared_ptr<BlockPool> pool = std::make_shared<BlockPool>();
    RenditionOutbox outbox;
    Lane lane;

    void add(std::uint32_t index, std::size_t size) {
        const auto bytes = pattern(size, index + 1);
        REQUIRE(outbox.add(kAttempt, index, make_payload(pool, bytes), sha256_of(bytes)));
    }
    [[nodiscard]] std::vector<RenditionOutbox::Attempt> pump() {
        return outbox.pump(lane.sink()).sent;
    }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "a task is sent when all its renditions are, and it is complete",
                 "[transcoder][outbox]") {
    outbox.lane_up();
    add(0, 1000);
    CHECK(pump().empty());
    add(1, 2000);
    outbox.complete(kAttempt);
    CHECK(pump() == std::vector{kAttempt});
    CHECK(lane.bytes == 3000);
    CHECK(pump().empty());  // said once
}

TEST_CASE_METHOD(Fixture, "a rendition waits for credit", "[transcoder][outbox]") {
    outbox.lane_up();
    add(0, 2 * 1024 * 1024);
    outbox.complete(kAttempt);
    CHECK(pump().empty());
    CHECK(lane.bytes == kCreditAtStart);
    REQUIRE(outbox.on_credit(
        {{kAttempt.first, kAttempt.second, Direction::to_orchestrator, 0}, 2 * 1024 * 1024}));
    CHECK(pump() == std::vector{kAttempt});
    CHECK(lane.chunks.back().last);
}

TEST_CASE_METHOD(Fixture, "a task without renditions is sent as soon as it is complete",
                 "[transcoder][outbox]") {
    outbox.lane_up();
    outbox.complete(kAttempt);
    CHECK(pump() == std::vector{kAttempt});
}

TEST_CASE_METHOD(Fixture, "after a break everything goes out again from the start",
                 "[transcoder][outbox]") {
    outbox.lane_up();
    add(0, 1000);
    CHECK(pump().empty());
    outbox.lane_down();
    add(1, 500);
    outbox.complete(kAttempt);
    CHECK(pump().empty());
    CHECK(lane.bytes == 1000);
    outbox.lane_up();
    CHECK(pump() == std::vector{kAttempt});
    CHECK(lane.bytes == 2500);
    CHECK(lane.chunks.back().offset == 0);
}

TEST_CASE_METHOD(Fixture, "a lane that turns out to be gone loses nothing",
                 "[transcoder][outbox]") {
    outbox.lane_up();
    add(0, 1000);
    outbox.complete(kAttempt);
    lane.result = net::SendResult::gone;
    CHECK(pump().empty());
    lane.result = net::SendResult::sent;
    CHECK(pump().empty());
    outbox.lane_up();
    CHECK(pump() == std::vector{kAttempt});
}

TEST_CASE_METHOD(Fixture, "a full lane is tried again when it is writable",
                 "[transcoder][outbox]") {
    outbox.lane_up();
    add(0, 1000);
    outbox.complete(kAttempt);
    lane.result = net::SendResult::would_block;
    CHECK(pump().empty());
    lane.result = net::SendResult::sent;
    outbox.writable();
    CHECK(pump() == std::vector{kAttempt});
}

TEST_CASE_METHOD(Fixture, "a dropped task sends nothing more", "[transcoder][outbox]") {
    outbox.lane_up();
    add(0, 1000);
    outbox.drop(kAttempt);
    CHECK(pump().empty());
    CHECK(lane.bytes == 0);
    CHECK(outbox.tasks() == 0);
    CHECK(pool->bytes_in_use() == 0);
}

TEST_CASE_METHOD(Fixture, "a rendition nobody wants any more does not hold up its task",
                 "[transcoder][outbox]") {
    outbox.lane_up();
    add(0, 2 * 1024 * 1024);
    outbox.complete(kAttempt);
    CHECK(pump().empty());
    outbox.on_abort({kAttempt.first, kAttempt.second, Direction::to_orchestrator, 0});
    CHECK(pump() == std::vector{kAttempt});
}

}  // namespace millrace::transcoder
