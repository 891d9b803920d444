// Any bytes may come: what decodes must be a value that can be written again, and nothing may
// crash, hang or read outside its frame (the suite runs under ASan and UBSan).

#include <chrono>
#include <cstring>

#include "common/wire/codec.h"
#include "common/wire/limits.h"
#include "tests/support/catch.h"
#include "tests/unit/wire/random_messages.h"
#include "tests/unit/wire/samples.h"

using namespace millrace;
using namespace millrace::test;

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr int kMutations = 12'000;

struct Tally {
    int decoded = 0;
    int ignored = 0;
    int refused = 0;
};

template <class Message>
void count(const Decoded<Message>& result, Decoded<Message> (*again)(std::span<const std::uint8_t>),
           Tally& tally) {
    if (!result) {
        REQUIRE(result.error().kind == ErrorKind::bad_input);
        ++tally.refused;
    } else if (std::holds_alternative<Ignored>(*result)) {
        ++tally.ignored;
    } else {
        ++tally.decoded;
        const auto& message = std::get<Message>(*result);
        const auto once_more = again(encode(message));
        REQUIRE(once_more.has_value());
        REQUIRE((std::get<Message>(*once_more) == message));
    }
}

void decode_all(const Bytes& bytes, Tally& tally) {
    // A copy of exactly this size, so that ASan sees the first byte read behind it.
    const auto exact = std::make_unique<std::uint8_t[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), exact.get());
    const std::span<const std::uint8_t> view(exact.get(), bytes.size());
    count(decode_from_transcoder(view), decode_from_transcoder, tally);
    count(decode_from_orchestrator(view), decode_from_orchestrator, tally);
    count(decode_payload(view), decode_payload, tally);
}

Bytes random_encoding(Rng& rng) {
    switch (rng.below(3)) {
        case 0:
            return encode(random_from_transcoder(rng));
        case 1:
            return encode(random_from_orchestrator(rng));
        default:
            return encode(random_payload(rng));
    }
}

void mutate(Bytes& bytes, Rng& rng) {
    for (auto changes = 1 + rng.below(4); changes > 0 && !bytes.empty(); --changes) {
        switch (rng.below(4)) {
            case 0:
                bytes[rng.below(bytes.size())] ^= static_cast<std::uint8_t>(1U << rng.below(8));
                break;
            case 1:
                bytes[rng.below(bytes.size())] = static_cast<std::uint8_t>(rng.next());
                break;
            case 2:
                bytes.resize(rng.below(bytes.size() + 1) / 8 * 8);
                break;
            default:
                bytes.resize(rng.below(bytes.size() + 1));
                break;
        }
    }
}

std::vector<Bytes> all_samples() {
    std::vector<Bytes> all;
    for (const auto& sample : transcoder_samples())
        all.push_back(encode(sample.message));
    for (const auto& sample : orchestrator_samples())
        all.push_back(encode(sample.message));
    for (const auto& sample : payload_samples())
        all.push_back(encode(sample.message));
    return all;
}

}  // namespace

TEST_CASE("flipped, overwritten and cut messages never do harm", "[wire][hostile]") {
    Tally tally;
    for (std::uint64_t seed = 1; seed <= kMutations; ++seed) {
        INFO("seed " << seed);
        Rng rng(seed);
        Bytes bytes = random_encoding(rng);
        mutate(bytes, rng);
        decode_all(bytes, tally);
    }
    CHECK(tally.refused > kMutations);
    CHECK(tally.decoded > 0);
}

TEST_CASE("every truncation of every message is refused", "[wire][hostile]") {
    for (const Bytes& whole : all_samples())
        for (std::size_t size = 0; size < whole.size(); ++size) {
            Tally tally;
            decode_all(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)),
                       tally);
            REQUIRE(tally.refused == 3);
        }
}

TEST_CASE("a word that claims half a billion list entries costs nothing", "[wire][hostile]") {
    // List pointers: kind 1, element size 0 (void: no bytes needed) or 7 (structs), the largest
    // count.
    const std::uint64_t claims[] = {1U | (0ULL << 32) | (0x1fffffffULL << 35),
                                    1U | (7ULL << 32) | (0x1fffffffULL << 35),
                                    1U | (6ULL << 32) | (0x1fffffffULL << 35)};
    const auto start = std::chrono::steady_clock::now();
    Tally tally;
    for (const Bytes& whole : all_samples())
        for (std::size_t at = 8; at + 8 <= whole.size(); at += 8)
            for (const auto claim : claims) {
                Bytes bytes = whole;
                std::memcpy(bytes.data() + at, &claim, sizeof claim);
                decode_all(bytes, tally);
            }
    CHECK(tally.refused > 0);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
}

TEST_CASE("frames of the wrong size are refused before they are read", "[wire][hostile]") {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{9},
                                   wire::kControlBytesMax + 8}) {
        Tally tally;
        decode_all(Bytes(size, 0), tally);
        CHECK(tally.refused == 3);
    }
}

TEST_CASE("a message of zeros says nothing and is refused", "[wire][hostile]") {
    Tally tally;
    decode_all(Bytes(16, 0), tally);
    decode_all(Bytes(512, 0), tally);
    CHECK(tally.refused == 6);
}

TEST_CASE("bytes behind the end of a message are refused", "[wire][hostile]") {
    Bytes bytes = encode(FromOrchestrator{{Epoch{1}, Incarnation{2}}, WhoAreYou{}});
    REQUIRE(decode_from_orchestrator(bytes).has_value());
    bytes.resize(bytes.size() + 8, 0);
    CHECK_FALSE(decode_from_orchestrator(bytes).has_value());
}

TEST_CASE("a frame at any alignment decodes", "[wire]") {
    const FromOrchestrator message{{Epoch{1}, Incarnation{2}}, HeartbeatAck{3, 4}};
    const Bytes bytes = encode(message);
    for (std::size_t shift = 0; shift < 8; ++shift) {
        Bytes shifted(bytes.size() + shift);
        std::copy(bytes.begin(), bytes.end(), shifted.begin() + static_cast<std::ptrdiff_t>(shift));
        const auto decoded =
            decode_from_orchestrator(std::span<const std::uint8_t>(shifted).subspan(shift));
        REQUIRE(decoded.has_value());
        CHECK((std::get<FromOrchestrator>(*decoded) == message));
    }
}
