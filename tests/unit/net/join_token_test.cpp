#include "common/net/join_token.h"

#include "common/base/rng.h"
#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::net;

namespace {

std::string some_token() {
    return encode(make_join_token(make_key_pair().public_key, 1'700'000'000)).reveal();
}

}  // namespace

TEST_CASE("a join token survives being printed and pasted") {
    const JoinToken token = make_join_token(make_key_pair().public_key, 1'700'000'000);
    const std::string text = encode(token).reveal();
    CHECK(text.starts_with("mrj1_"));
    CHECK(text.size() == 117);
    for (const std::string& pasted : {text, text + "\n", "  " + text + " \r\n"}) {
        const auto parsed = parse_join_token(pasted);
        REQUIRE(parsed);
        CHECK(parsed->orchestrator == token.orchestrator);
        CHECK(parsed->enrolment.reveal() == token.enrolment.reveal());
        CHECK(parsed->expires_at_s == token.expires_at_s);
        CHECK(parsed->id == token.id);
        CHECK(parsed->id_hex().size() == 16);
    }
}

TEST_CASE("a token expires at its second, and one without expiry never") {
    JoinToken token = make_join_token(make_key_pair().public_key, 1000);
    CHECK_FALSE(token.expired(WallTime{999'999}));
    CHECK(token.expired(WallTime{1'000'000}));
    token.expires_at_s = 0;
    CHECK_FALSE(token.expired(WallTime{INT64_MAX}));
}

TEST_CASE("an expired token still parses, so that it can be called expired") {
    const auto parsed =
        parse_join_token(encode(make_join_token(make_key_pair().public_key, 1)).reveal());
    REQUIRE(parsed);
    CHECK(parsed->expired(WallTime{2000}));
}

TEST_CASE("no text with changed bits is accepted") {
    const std::string text = some_token();
    Rng rng(20240607);
    int accepted = 0;
    for (int round = 0; round < 10'000; ++round) {
        std::string bent = text;
        const std::uint64_t flips = 1 + rng.below(4);
        for (std::uint64_t i = 0; i < flips; ++i)
            bent[rng.below(bent.size())] ^= static_cast<char>(1U << rng.below(8));
        if (bent == text)
            continue;  // two flips undid each other
        const auto parsed = parse_join_token(bent);
        if (parsed)
            ++accepted;
        else
            CHECK(parsed.error().kind == ErrorKind::bad_input);
    }
    CHECK(accepted == 0);
}

TEST_CASE("no text with changed, swapped, missing or added characters is accepted") {
    const std::string text = some_token();
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (std::size_t at = 0; at < text.size(); ++at) {
        for (const char c : kAlphabet) {
            std::string typo = text;
            typo[at] = c;
            if (typo != text)
                REQUIRE_FALSE(parse_join_token(typo));
        }
        std::string shorter = text;
        shorter.erase(at, 1);
        CHECK_FALSE(parse_join_token(shorter));
        std::string longer = text;
        longer.insert(at, 1, 'A');
        CHECK_FALSE(parse_join_token(longer));
        std::string swapped = text;
        std::swap(swapped[at], swapped[(at + 1) % swapped.size()]);
        if (swapped != text)
            CHECK_FALSE(parse_join_token(swapped));
    }
}

TEST_CASE("texts that are nothing like a token are malformed") {
    for (const std::string& text : std::vector<std::string>{
             "", " ", "mrj1_", "mrj2_" + some_token().substr(5), std::string(117, '='),
             some_token() + "=", std::string(1'000'000, 'A')}) {
        const auto parsed = parse_join_token(text);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().message.find("malformed") != std::string::npos);
    }
}
