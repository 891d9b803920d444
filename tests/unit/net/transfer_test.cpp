#include "common/net/transfer.h"

#include <deque>

#include "common/base/rng.h"
#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::net;

namespace {

const TransferId kId{{7}, {1}, Direction::to_orchestrator, 2};
constexpr std::uint64_t kLimit = 32 * 1024 * 1024;

std::shared_ptr<BlockPool> pool() {
    static const auto shared = std::make_shared<BlockPool>();
    return shared;
}

std::vector<std::uint8_t> pattern(std::size_t size) {
    std::vector<std::uint8_t> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::uint8_t>(i * 131 + i / 251);
    return bytes;
}

std::vector<std::uint8_t> bytes_of(const PayloadPtr& payload) {
    std::vector<std::uint8_t> bytes(payload->size());
    CHECK(payload->read(0, bytes) == bytes.size());
    return bytes;
}

// A chunk and a body that fit a receiver that has `at` bytes.
Chunk chunk_at(std::uint64_t at, bool last = false, std::uint64_t total = 0) {
    return {kId, at, last, total, {}};
}

bool refused(IncomingTransfer& incoming, const Chunk& chunk, std::size_t body_bytes) {
    const auto body = pattern(body_bytes);
    const auto progress = incoming.on_chunk(chunk, body);
    return !progress && progress.error().kind == ErrorKind::disconnected;
}

}  // namespace

TEST_CASE("a payload of any size arrives as it was, under credit") {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kBlockBytes, kBlockBytes + 1,
                                   4 * kBlockBytes, 9 * kBlockBytes + 12345}) {
        const auto bytes = pattern(size);
        const Sha256 sha256 = sha256_of(bytes);
        OutgoingTransfer out(kId, make_payload(pool(), bytes), sha256);
        IncomingTransfer in(kId, pool(), kLimit);
        while (out.ready()) {
            const auto next = out.next();
            out.sent();
            const auto progress = in.on_chunk(next.chunk, next.body.bytes);
            REQUIRE(progress);
            CHECK(in.total() == size);
            if (progress->credit)
                REQUIRE(out.on_credit(*progress->credit));
            CHECK(progress->complete == out.done());
        }
        REQUIRE(in.payload());
        CHECK(bytes_of(in.payload()) == bytes);
        CHECK(in.sha256() == sha256);
    }
}

TEST_CASE("without credit at most four full chunks leave") {
    OutgoingTransfer out(kId, make_payload(pool(), pattern(8 * kBlockBytes)), {});
    int chunks = 0;
    for (; out.ready(); ++chunks)
        out.sent();
    CHECK(chunks == 4);
    CHECK(out.bytes_sent() == kCreditAtStart);
    REQUIRE(out.on_credit({kId, kCreditAtStart + kBlockBytes}));
    REQUIRE(out.on_credit({kId, 1}));  // outdated
    CHECK(out.ready());
    CHECK_FALSE(out.on_credit({kId, out.bytes_sent() + kCreditAtStart + 1}));
}

TEST_CASE("a chunk asked for twice is the same chunk until it was sent") {
    OutgoingTransfer out(kId, make_payload(pool(), pattern(2 * kBlockBytes)), {});
    const auto first = out.next(), again = out.next();
    CHECK(first.chunk == again.chunk);
    CHECK(first.body.bytes.data() == again.body.bytes.data());
    out.sent();
    CHECK(out.next().chunk.offset == kBlockBytes);
}

TEST_CASE("a transfer may begin before its length is known") {
    const auto bytes = pattern(3 * kBlockBytes);
    const PayloadPtr payload = make_payload(pool(), bytes);
    OutgoingTransfer out(kId);
    IncomingTransfer in(kId, pool(), kLimit);
    CHECK_FALSE(out.ready());
    for (std::size_t i = 0; i < payload->block_count(); ++i) {
        out.append({payload, payload->block(i)});
        REQUIRE(out.ready());
        const auto next = out.next();
        CHECK_FALSE(next.chunk.last);
        CHECK(next.chunk.total == 0);
        out.sent();
        REQUIRE(in.on_chunk(next.chunk, next.body.bytes));
        CHECK_FALSE(out.ready());
    }
    out.finish(sha256_of(bytes));
    REQUIRE(out.ready());  // an empty chunk that says that it was all
    const auto last = out.next();
    out.sent();
    CHECK(last.chunk.last);
    CHECK(last.body.bytes.empty());
    const auto progress = in.on_chunk(last.chunk, last.body.bytes);
    REQUIRE(progress);
    CHECK(progress->complete);
    CHECK(bytes_of(in.payload()) == bytes);
}

TEST_CASE("every way to break a transfer is found") {
    IncomingTransfer in(kId, pool(), 2 * kCreditAtStart);
    REQUIRE(in.on_chunk(chunk_at(0), pattern(1000)));
    SECTION("another transfer's chunk") {
        Chunk chunk = chunk_at(1000);
        chunk.transfer.index = 9;
        CHECK(refused(in, chunk, 10));
    }
    SECTION("a gap") {
        CHECK(refused(in, chunk_at(1001), 10));
    }
    SECTION("a repetition") {
        CHECK(refused(in, chunk_at(0), 1000));
    }
    SECTION("an overlap") {
        CHECK(refused(in, chunk_at(999), 10));
    }
    SECTION("an empty chunk in the middle") {
        CHECK(refused(in, chunk_at(1000), 0));
    }
    SECTION("a chunk that is too large") {
        CHECK(refused(in, chunk_at(1000), kBlockBytes + 1));
    }
    SECTION("an announced length above the limit") {
        CHECK(refused(in, chunk_at(1000, false, 2 * kCreditAtStart + 1), 10));
    }
    SECTION("more bytes than announced") {
        CHECK(refused(in, chunk_at(1000, false, 1005), 10));
    }
    SECTION("an end before the announced length") {
        CHECK(refused(in, chunk_at(1000, true, 2000), 10));
    }
    SECTION("an end without a length") {
        CHECK(refused(in, chunk_at(1000, true), 10));
    }
    SECTION("an end with another hash") {
        CHECK(refused(in, chunk_at(1000, true, 1010), 10));
    }
    SECTION("a length that changes") {
        REQUIRE(in.on_chunk(chunk_at(1000, false, 5000), pattern(10)));
        CHECK(refused(in, chunk_at(1010, false, 5001), 10));
    }
    SECTION("a length that is forgotten") {
        REQUIRE(in.on_chunk(chunk_at(1000, false, 5000), pattern(10)));
        CHECK(refused(in, chunk_at(1010, false, 0), 10));
    }
    // Broken stays broken, also for what would have been right.
    CHECK(refused(in, chunk_at(in.bytes_received()), 10));
    CHECK_FALSE(in.payload());
}

TEST_CASE("a sender that ignores credit is found, and one that goes past the limit") {
    IncomingTransfer in(kId, pool(), 1024);
    REQUIRE(in.on_chunk(chunk_at(0), pattern(1024)));
    CHECK(refused(in, chunk_at(1024), 1));
    // Credit moves on at half; a sender that is silent about it cannot get past what was granted.
    IncomingTransfer wide(kId, pool(), kLimit);
    std::uint64_t granted = kCreditAtStart;
    for (std::uint64_t at = 0; at < 3 * kCreditAtStart; at += kBlockBytes) {
        const auto progress = wide.on_chunk(chunk_at(at), pattern(kBlockBytes));
        REQUIRE(progress);
        if (progress->credit)
            granted = progress->credit->limit;
        CHECK(granted >= at + kBlockBytes);
        CHECK(granted <= at + kBlockBytes + kCreditAtStart);
    }
}

TEST_CASE("nothing follows a completed transfer") {
    IncomingTransfer in(kId, pool(), kLimit);
    Chunk only = chunk_at(0, true, 10);
    only.sha256 = sha256_of(pattern(10));
    REQUIRE(in.on_chunk(only, pattern(10)));
    REQUIRE(in.payload());
    CHECK(refused(in, chunk_at(10), 1));
    CHECK(refused(in, only, 10));
}

TEST_CASE("random growth, sending, delivery and credit agree with a string of bytes") {
    for (std::uint64_t seed = 0; seed < 16; ++seed) {
        Rng rng(seed);
        const auto bytes = pattern(rng.below(3 * kCreditAtStart));
        const bool announced = !bytes.empty() && rng.chance(0.5);
        const auto owner = std::make_shared<std::vector<std::uint8_t>>(bytes);
        OutgoingTransfer out(kId, announced ? bytes.size() : 0);
        IncomingTransfer in(kId, pool(), bytes.size());
        std::deque<OutgoingTransfer::Next> on_the_way;
        std::deque<Credit> coming_back;
        std::size_t appended = 0, granted = kCreditAtStart;
        bool finished = false;
        for (int step = 0; step < 100'000 && !in.payload(); ++step) {
            switch (rng.below(4)) {
                case 0:
                    if (appended < bytes.size()) {
                        const std::size_t count =
                            1 + rng.below(std::min<std::size_t>(bytes.size() - appended, 400'000));
                        out.append({owner, std::span(*owner).subspan(appended, count)});
                        appended += count;
                    } else if (!finished) {
                        out.finish(sha256_of(bytes));
                        finished = true;
                    }
                    break;
                case 1:
                    if (out.ready()) {
                        on_the_way.push_back(out.next());
                        const auto& next = on_the_way.back();
                        REQUIRE(next.chunk.offset + next.body.bytes.size() <= granted);
                        REQUIRE(next.body.bytes.size() <= kBlockBytes);
                        out.sent();
                    }
                    break;
                case 2:
                    if (!on_the_way.empty()) {
                        const auto next = on_the_way.front();
                        on_the_way.pop_front();
                        const auto progress = in.on_chunk(next.chunk, next.body.bytes);
                        REQUIRE(progress);
                        if (progress->credit)
                            coming_back.push_back(*progress->credit);
                    }
                    break;
                default:
                    if (!coming_back.empty()) {
                        granted = std::max<std::size_t>(granted, coming_back.front().limit);
                        REQUIRE(out.on_credit(coming_back.front()));
                        coming_back.pop_front();
                    }
            }
        }
        REQUIRE(in.payload());
        REQUIRE(bytes_of(in.payload()) == bytes);
        CHECK(out.done());
    }
    CHECK(pool()->bytes_in_use() == 0);
}

TEST_CASE("a payload that was sent piece by piece ends as the whole it became") {
    for (const std::size_t before : {std::size_t{0}, std::size_t{1}, std::size_t{100'000},
                                     kBlockBytes, kBlockBytes + 1, 2 * kBlockBytes + 5}) {
        const auto bytes = pattern(2 * kBlockBytes + 5);
        const PayloadPtr whole = make_payload(pool(), bytes);
        OutgoingTransfer out(kId);
        out.append({nullptr, std::span(bytes).first(before)});
        IncomingTransfer in(kId, pool(), kLimit);
        std::vector<std::uint8_t> taken;
        bool complete = false;
        const auto carry = [&] {
            while (out.ready()) {
                const auto next = out.next();
                out.sent();
                const auto progress = in.on_chunk(next.chunk, next.body.bytes);
                REQUIRE(progress);
                complete = progress->complete;
            }
        };
        carry();
        CHECK_FALSE(complete);
        const PayloadPtr first = in.take();
        REQUIRE((first != nullptr) == (before > 0));
        if (first != nullptr)
            taken = bytes_of(first);
        CHECK(taken.size() == before);
        CHECK(in.take() == nullptr);
        out.finish(whole, sha256_of(bytes));
        carry();
        REQUIRE(complete);
        const auto rest = bytes_of(in.payload());
        taken.insert(taken.end(), rest.begin(), rest.end());
        CHECK(taken == bytes);
        CHECK(in.sha256() == sha256_of(bytes));
    }
}
