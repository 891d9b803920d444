#include "transcoder/link/credentials.h"

#include "tests/support/catch.h"

namespace millrace::transcoder {
namespace {

const net::KeyPair kOwn = net::make_key_pair();

net::JoinToken token_of(const net::PublicKey& server, std::uint64_t expires_at_s = 0) {
    return net::make_join_token(server, expires_at_s);
}

}  // namespace

TEST_CASE("the token's key is used while enrolling, our own afterwards",
          "[transcoder][credentials]") {
    const auto server = net::make_key_pair().public_key;
    const auto token = token_of(server);
    Credentials credentials(std::nullopt, {token});
    CHECK_FALSE(credentials.knows_server());
    CHECK_FALSE(credentials.target("h:1", kOwn, false));
    const auto enrolling = credentials.target("h:1", kOwn, true);
    REQUIRE(enrolling);
    CHECK(enrolling->server == server);
    CHECK(enrolling->own.public_key == net::key_pair_of(token.enrolment).public_key);
    credentials.enrolled();
    const auto joining = credentials.target("h:1", kOwn, false);
    REQUIRE(joining);
    CHECK(joining->server == server);
    CHECK(joining->own.public_key == kOwn.public_key);
}

TEST_CASE("tokens are tried one after the other", "[transcoder][credentials]") {
    const auto first = token_of(net::make_key_pair().public_key);
    const auto second = token_of(net::make_key_pair().public_key);
    Credentials credentials(std::nullopt, {first, second});
    CHECK(credentials.token_id() == first.id_hex());
    CHECK(credentials.next_token());
    CHECK(credentials.token_id() == second.id_hex());
    CHECK_FALSE(credentials.next_token());
    credentials.enrolled();
    CHECK(credentials.server() == second.orchestrator);
}

TEST_CASE("a token of the orchestrator we know comes first", "[transcoder][credentials]") {
    const auto server = net::make_key_pair().public_key;
    const auto other = token_of(net::make_key_pair().public_key);
    const auto ours = token_of(server);
    const Credentials credentials(server, {other, ours});
    CHECK(credentials.token_id() == ours.id_hex());
    CHECK(credentials.another_server());
    CHECK_FALSE(Credentials(server, {ours}).another_server());
}

TEST_CASE("an expired token is known as such", "[transcoder][credentials]") {
    const auto server = net::make_key_pair().public_key;
    CHECK(Credentials({}, {token_of(server, 1)}).token_expired({5'000}));
    CHECK_FALSE(Credentials({}, {token_of(server)}).token_expired({5'000}));
    CHECK_FALSE(Credentials(server, {}).token_expired({5'000}));
    CHECK_FALSE(Credentials(server, {}).has_token());
}

}  // namespace millrace::transcoder
