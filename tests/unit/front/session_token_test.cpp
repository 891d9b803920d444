#include "orchestrator/front/session_token.h"

#include "orchestrator/front/names.h"
#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::orchestrator;

namespace {

const TokenKeys kKeys{{7, std::vector<std::uint8_t>(32, 0x5a)}};
const SessionClaims kClaims{{"00112233445566778899aabbccddeeff"}, {"cam"}, {"acme"}, {5000}};

}  // namespace

TEST_CASE("a token reads back to what was signed until it expires", "[front][token]") {
    const std::string token = make_session_token(kKeys, kClaims);
    CHECK(token.starts_with("mrs1_"));
    const auto read = read_session_token(kKeys, token, {4999});
    REQUIRE(read);
    CHECK(*read == kClaims);
    const auto late = read_session_token(kKeys, token, {5000});
    REQUIRE_FALSE(late);
    CHECK(late.error().kind == ErrorKind::timeout);
}

TEST_CASE("a token with any character changed is refused", "[front][token]") {
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

TEST_CASE("cut, extended and empty tokens are refused", "[front][token]") {
    const std::string token = make_session_token(kKeys, kClaims);
    for (std::size_t size = 0; size < token.size(); ++size)
        CHECK_FALSE(read_session_token(kKeys, token.substr(0, size), {0}));
    CHECK_FALSE(read_session_token(kKeys, token + "A", {0}));
    CHECK_FALSE(read_session_token(kKeys, "mrs1_" + std::string(1'000'000, 'A'), {0}));
}

TEST_CASE("moving a byte between fields changes the signature", "[front][token]") {
    SessionClaims a = kClaims;
    SessionClaims b = kClaims;
    a.stream = {"ab"};
    a.account = {"c"};
    b.stream = {"a"};
    b.account = {"bc"};
    CHECK(make_session_token(kKeys, a).substr(0, 20) == make_session_token(kKeys, b).substr(0, 20));
    CHECK(make_session_token(kKeys, a) != make_session_token(kKeys, b));
}

TEST_CASE("a rotated key still reads old tokens; a foreign one never", "[front][token]") {
    const std::string old = make_session_token(kKeys, kClaims);
    const TokenKeys rotated{{8, std::vector<std::uint8_t>(32, 0x11)}, kKeys[0]};
    CHECK(read_session_token(rotated, old, {0}));
    CHECK_FALSE(read_session_token(kKeys, make_session_token(rotated, kClaims), {0}));
    const TokenKeys foreign{{7, std::vector<std::uint8_t>(32, 0x5b)}};
    CHECK_FALSE(read_session_token(foreign, old, {0}));
    CHECK_FALSE(read_session_token({}, old, {0}));
}

TEST_CASE("session ids are random and well formed", "[front][token]") {
    const SessionId a = random_session_id();
    CHECK(valid_session_id(a.value));
    CHECK(a != random_session_id());
}
