// Signing in with an Ethereum key. Signatures are made by libsecp256k1 here; tests/integration/test_sign_in.py has a
// wallet make them.

#include "orchestrator/front/sign_in.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include "common/base/hex.h"
#include "orchestrator/access/account_key.h"
#include "tests/unit/front/fixture.h"

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

// A key, and what personal_sign makes with it.
class Wallet {
public:
    explicit Wallet(std::uint8_t seed) { secret_.fill(seed); }
    ~Wallet() { secp256k1_context_destroy(context_); }
    Wallet(const Wallet&) = delete;
    Wallet& operator=(const Wallet&) = delete;

    [[nodiscard]] stake::Address address() const {
        secp256k1_pubkey key;
        REQUIRE(secp256k1_ec_pubkey_create(context_, &key, secret_.data()) == 1);
        std::array<unsigned char, 65> point{};
        std::size_t size = point.size();
        secp256k1_ec_pubkey_serialize(context_, point.data(), &size, &key,
                                      SECP256K1_EC_UNCOMPRESSED);
        const auto hash =
            stake::keccak256({reinterpret_cast<const char*>(point.data()) + 1, point.size() - 1});
        std::array<std::uint8_t, 20> bytes{};
        std::copy(hash.end() - 20, hash.end(), bytes.begin());
        return stake::Address::of_bytes(bytes);
    }
    [[nodiscard]] std::string name() const { return "0x" + to_hex(address().bytes()); }

    [[nodiscard]] std::string sign(const std::string& text) const {
        const auto hash = stake::keccak256(
            "\x19"
            "Ethereum Signed Message:\n" +
            std::to_string(text.size()) + text);
        secp256k1_ecdsa_recoverable_signature signature;
        REQUIRE(secp256k1_ecdsa_sign_recoverable(context_, &signature, hash.data(), secret_.data(),
                                                 nullptr, nullptr) == 1);
        std::array<std::uint8_t, 65> bytes{};
        int v = 0;
        secp256k1_ecdsa_recoverable_signature_serialize_compact(context_, bytes.data(), &v,
                                                                &signature);
        bytes.back() = static_cast<std::uint8_t>(27 + v);
        return "0x" + to_hex(bytes);
    }

private:
    std::array<std::uint8_t, 32> secret_{};
    secp256k1_context* context_ = secp256k1_context_create(SECP256K1_CONTEXT_SIGN);
};

http::Headers bearer(const std::string& secret) {
    return {{"Authorization", "Bearer " + secret}};
}

struct Door : FrontFixture {
    Door() : FrontFixture({}, {}, PlaybackAccess::token, AuthMode::accounts) {}

    void account(const std::string& name, std::vector<std::string> may = {}) {
        const NewAccountKey made = make_account_key();
        accounts->put({{name}, made.id, made.hash, {}, std::move(may), {}});
    }
    nlohmann::json challenge(const Wallet& wallet) {
        const auto answer = call("POST", "/sign-in/challenge",
                                 nlohmann::json{{"address", wallet.address().text()}}.dump());
        REQUIRE(answer.status == 200);
        return nlohmann::json::parse(answer.body);
    }
    http::ClientResponse sign_in(const Wallet& as, const std::string& challenge,
                                 const std::string& signature) {
        return call("POST", "/sign-in",
                    nlohmann::json{{"address", as.address().text()},
                                   {"challenge", challenge},
                                   {"signature", signature}}
                        .dump());
    }
    std::string refused(const http::ClientResponse& answer, int status = 401) {
        INFO(answer.body);
        CHECK(answer.status == status);
        CHECK(code_of(answer) == (status == 401 ? "Unauthorized" : "BadRequest"));
        return nlohmann::json::parse(answer.body)["detail"];
    }
    std::string signed_in(const Wallet& wallet) {
        const std::string text = challenge(wallet)["challenge"];
        const auto answer = sign_in(wallet, text, wallet.sign(text));
        INFO(answer.body);
        REQUIRE(answer.status == 200);
        return nlohmann::json::parse(answer.body)["token"];
    }
    int push(const std::string& stream, const std::string& token) {
        return call("PUT", "/live/" + stream + "/1.ts", ts_bytes(9), bearer(token)).status;
    }
};

}  // namespace

TEST_CASE("whoever signs the challenge pushes as the account of the address", "[front][sign-in]") {
    Door door;
    const Wallet wallet(1);
    door.account(wallet.name(), {"mine-*"});
    const auto asked = door.challenge(wallet);
    const std::string text = asked["challenge"];
    CHECK_THAT(text, Catch::StartsWith(door.front->local_endpoint() +
                                       " wants you to sign in with your Ethereum account:\n" +
                                       wallet.address().text() + "\n\n"));
    CHECK_THAT(text, Contains("\nURI: " + door.front->public_url() + "\n"));
    const auto answer = door.sign_in(wallet, text, wallet.sign(text));
    REQUIRE(answer.status == 200);
    CHECK(answer.headers.find("Cache-Control") == "no-store");
    const auto told = nlohmann::json::parse(answer.body);
    CHECK(told["account"] == wallet.name());
    const std::string token = told["token"];
    CHECK(door.push("mine-1", token) == 200);
    CHECK(door.push("yours", token) == 403);
    CHECK(door.port.with([](FakePort& port) { return port.begun.at(0).account; }) ==
          AccountId{wallet.name()});
    const auto opened = door.call("POST", "/sessions", R"({"stream":"mine-2"})", bearer(token));
    CHECK(opened.status == 201);
}

TEST_CASE("a challenge counts once", "[front][sign-in]") {
    Door door;
    const Wallet wallet(1);
    door.account(wallet.name());
    const std::string text = door.challenge(wallet)["challenge"];
    const std::string signature = wallet.sign(text);
    CHECK(door.sign_in(wallet, text, signature).status == 200);
    CHECK_THAT(door.refused(door.sign_in(wallet, text, signature)), Contains("used already"));
    CHECK(door.push("s", door.signed_in(wallet)) == 200);
}

TEST_CASE("a challenge that is foreign, changed, expired or signed by another is refused",
          "[front][sign-in]") {
    Door door, elsewhere;
    const Wallet wallet(1), other(2);
    for (Door* one : {&door, &elsewhere}) {
        one->account(wallet.name());
        one->account(other.name());
    }
    const std::string text = door.challenge(wallet)["challenge"];
    const std::string foreign = elsewhere.challenge(wallet)["challenge"];
    CHECK_THAT(door.refused(door.sign_in(wallet, foreign, wallet.sign(foreign))),
               Contains("not a challenge of this service"));
    std::string moved = foreign;
    for (const auto& [from, to] :
         {std::pair(elsewhere.front->local_endpoint(), door.front->local_endpoint())})
        for (auto at = moved.find(from); at != std::string::npos; at = moved.find(from))
            moved.replace(at, from.size(), to);
    CHECK_THAT(door.refused(door.sign_in(wallet, moved, wallet.sign(moved))),
               Contains("not a challenge of this service"));
    for (std::size_t at = 0; at < text.size(); at += 7) {
        std::string changed = text;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        CHECK_THAT(door.refused(door.sign_in(wallet, changed, wallet.sign(changed))),
                   Contains("not a challenge of this service"));
    }
    CHECK_THAT(door.refused(door.sign_in(wallet, text, other.sign(text))),
               Contains("not signed by this address"));
    CHECK_THAT(door.refused(door.sign_in(other, text, other.sign(text))),
               Contains("for this address"));
    CHECK_THAT(door.refused(door.sign_in(wallet, text, wallet.sign(text + " "))),
               Contains("not signed by this address"));
    CHECK_THAT(door.refused(door.sign_in(wallet, "Nonce: 1", wallet.sign("Nonce: 1"))),
               Contains("not a challenge"));
    CHECK_THAT(door.refused(door.sign_in(wallet, text, "0x12")), Contains("130 hex digits"));
    door.wall_ms += to_ms(kChallengeLife);
    CHECK_THAT(door.refused(door.sign_in(wallet, text, wallet.sign(text))), Contains("expired"));
}

TEST_CASE("an address without an account is nobody, and a removed one is nobody any more",
          "[front][sign-in]") {
    Door door;
    const Wallet wallet(1);
    const std::string text = door.challenge(wallet)["challenge"];
    CHECK_THAT(door.refused(door.sign_in(wallet, text, wallet.sign(text))),
               Contains("no account for this address"));
    door.account(wallet.name());
    const std::string token = door.signed_in(wallet);
    CHECK(door.push("s", token) == 200);
    door.accounts->remove({wallet.name()});
    CHECK(door.push("s", token) == 401);
    door.account(wallet.name());  // made again: it has another key
    CHECK(door.push("s", token) == 401);
    const std::string again = door.signed_in(wallet);
    CHECK(door.push("s", again) == 200);
    door.wall_ms += to_ms(std::chrono::hours(25));
    CHECK(door.push("s", again) == 401);
}

TEST_CASE("a sign-in that cannot be read names what is wrong", "[front][sign-in]") {
    Door door;
    for (const char* body : {"", "{", "[]", "{}", R"({"address":7})", R"({"address":"0x12"})",
                             R"({"address":"0x2C7536E3605D9C16a7a3D7b1898e529396a65c23"})",
                             R"({"address":"0x2c7536e3605d9c16a7a3d7b1898e529396a65c23","x":1})"}) {
        INFO(body);
        (void)door.refused(door.call("POST", "/sign-in/challenge", body), 400);
    }
    (void)door.refused(door.call("POST", "/sign-in",
                                 R"({"address":"0x2c7536e3605d9c16a7a3d7b1898e529396a65c23"})"),
                       400);
    CHECK(door.call("GET", "/sign-in").status >= 400);
    FrontFixture open;
    CHECK(open.call("POST", "/sign-in/challenge", "{}").status == 404);
}

TEST_CASE("the record of used challenges is bounded, and forgets what has expired",
          "[front][sign-in]") {
    SignIn desk;
    const Wallet wallet(1);
    const WallTime now{1'700'000'000'000};
    const auto attempt = [&](WallTime at) {
        return SignInAttempt{wallet.address(),
                             desk.challenge(wallet.address(), "http://x", at).text, ""};
    };
    for (std::size_t i = 0; i < SignIn::kUsedMax; ++i)
        REQUIRE(desk.use_up(attempt(now), now));
    const auto full = desk.use_up(attempt(now), now);
    REQUIRE_FALSE(full);
    CHECK(full.error().kind == ErrorKind::overloaded);
    const WallTime later{now.ms + to_ms(kChallengeLife) + 1};
    CHECK(desk.use_up(attempt(later), later));
}
