#include "orchestrator/access/tokens.h"

#include "common/base/rng.h"
#include "orchestrator/access/token_ring.h"
#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::orchestrator;

namespace {

const TokenKeys kKeys{{7, std::vector<std::uint8_t>(32, 0x5a)}};
const SessionClaims kClaims{
    {"00112233445566778899aabbccddeeff"}, {"cam"}, {"acme"}, "key1", {5000}};
constexpr std::int64_t kLeewayMs = 60'000;

}  // namespace

TEST_CASE("a token reads back to what was signed until it expires", "[access][token]") {
    const std::string token = make_session_token(kKeys, kClaims);
    CHECK(token.starts_with("mrs1_"));
    const auto read = read_session_token(kKeys, token, {4999});
    REQUIRE(read);
    CHECK(*read == kClaims);
    // A verifier whose clock is a minute ahead still takes it; one that is further does not.
    CHECK(read_session_token(kKeys, token, {5000 + kLeewayMs - 1}));
    CHECK(read_session_token(kKeys, token, {-kLeewayMs}));
    const auto late = read_session_token(kKeys, token, {5000 + kLeewayMs});
    REQUIRE_FALSE(late);
    CHECK(late.error().kind == ErrorKind::timeout);
}

TEST_CASE("a token with any character changed is refused", "[access][token]") {
    const std::string token = make_session_token(kKeys, kClaims);
    for (std::size_t i = 0; i < token.size(); ++i)
        for (const char other : {'A', 'x', '7', '='}) {
            std::string forged = token;
            forged[i] = other;
            if (forged == token)
                continue;
            const auto read = read_session_token(kKeys, forged, {0});
            REQUIRE_FALSE(read);
            CHECK(read.error().kind == ErrorKind::bad_input);
        }
}

TEST_CASE("cut, extended and empty tokens are refused", "[access][token]") {
    const std::string token = make_session_token(kKeys, kClaims);
    for (std::size_t size = 0; size < token.size(); ++size)
        CHECK_FALSE(read_session_token(kKeys, token.substr(0, size), {0}));
    CHECK_FALSE(read_session_token(kKeys, token + "A", {0}));
    CHECK_FALSE(read_session_token(kKeys, "mrs1_" + std::string(1'000'000, 'A'), {0}));
}

TEST_CASE("moving a byte between fields changes the signature", "[access][token]") {
    SessionClaims a = kClaims;
    SessionClaims b = kClaims;
    a.stream = {"ab"};
    a.account = {"c"};
    b.stream = {"a"};
    b.account = {"bc"};
    CHECK(make_session_token(kKeys, a).substr(0, 20) == make_session_token(kKeys, b).substr(0, 20));
    CHECK(make_session_token(kKeys, a) != make_session_token(kKeys, b));
}

TEST_CASE("a rotated key still reads old tokens; a foreign one never", "[access][token]") {
    const std::string old = make_session_token(kKeys, kClaims);
    const TokenKeys rotated{{8, std::vector<std::uint8_t>(32, 0x11)}, kKeys[0]};
    CHECK(read_session_token(rotated, old, {0}));
    CHECK_FALSE(read_session_token(kKeys, make_session_token(rotated, kClaims), {0}));
    const TokenKeys foreign{{7, std::vector<std::uint8_t>(32, 0x5b)}};
    CHECK_FALSE(read_session_token(foreign, old, {0}));
    CHECK_FALSE(read_session_token({}, old, {0}));
}

TEST_CASE("session ids are random and well formed", "[access][token]") {
    const SessionId a = random_session_id();
    CHECK(a.value.size() == 32);
    CHECK(a != random_session_id());
}

TEST_CASE("a viewer's token is never a broadcaster's, nor the other way round", "[access][token]") {
    const PlaybackClaims claims{{"cam"}, {"acme"}, "key1", {5000}};
    const std::string watch = make_playback_token(kKeys, claims);
    const std::string push = make_session_token(kKeys, kClaims);
    const auto read = read_playback_token(kKeys, watch, {4999});
    REQUIRE(read);
    CHECK(*read == claims);
    CHECK(read_playback_token(kKeys, watch, {5000 + kLeewayMs}).error().kind == ErrorKind::timeout);
    CHECK_FALSE(read_session_token(kKeys, watch, {0}));
    CHECK_FALSE(read_playback_token(kKeys, push, {0}));
    CHECK_FALSE(read_session_token(kKeys, "mrs1_" + watch.substr(5), {0}));
    CHECK_FALSE(read_playback_token(kKeys, "mrp1_" + push.substr(5), {0}));
}

// Acceptance battery, number 9.
TEST_CASE("a hundred thousand damaged tokens are all refused", "[access][token]") {
    Rng rng(9);
    SessionClaims other = kClaims;
    other.stream = {"cat"};
    const std::string token = make_session_token(kKeys, kClaims);
    const std::string stranger = make_session_token(kKeys, other);
    REQUIRE(token.size() == stranger.size());
    int accepted = 0;
    for (int i = 0; i < 100'000; ++i) {
        std::string forged = token;
        const std::size_t at = rng.below(token.size());
        switch (rng.below(4)) {
            case 0:  // one bit
                forged[at] = static_cast<char>(forged[at] ^ (1 << rng.below(8)));
                break;
            case 1:  // cut
                forged.resize(at);
                break;
            case 2:  // the front of one and the back of another genuine token
                forged = token.substr(0, at) + stranger.substr(at);
                break;
            default:  // two characters swapped
                std::swap(forged[at], forged[rng.below(token.size())]);
        }
        if (forged != token && forged != stranger && read_session_token(kKeys, forged, {0}))
            ++accepted;
    }
    CHECK(accepted == 0);
}

TEST_CASE("a ring hands out the keys it was given last", "[access][token]") {
    TokenRing ring(kKeys);
    const auto before = ring.keys();
    ring.replace({{8, std::vector<std::uint8_t>(32, 0x11)}, kKeys[0]});
    CHECK(before->front().id == 7);
    CHECK(ring.keys()->front().id == 8);
    CHECK(read_session_token(*ring.keys(), make_session_token(*before, kClaims), {0}));
}
