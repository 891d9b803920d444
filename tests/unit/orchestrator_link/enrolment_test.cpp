#include "orchestrator/link/enrolment.h"

#include "common/net/join_token.h"
#include "tests/support/catch.h"
#include "tests/unit/orchestrator_link/fixture.h"

namespace millrace::orchestrator {
namespace {

struct Desk : Door {
    Enrolment enrolment{store, *doorkeeper, key.public_key};

    net::JoinToken make(Duration ttl = std::chrono::hours(1), bool once = false) {
        net::JoinToken parsed;
        enrolment.create_token(ttl, once, [&](const Result<NewJoinToken>& made) {
            parsed = net::parse_join_token(made->token).value();
        });
        return parsed;
    }

    static std::string enrolment_key(const net::JoinToken& token) {
        return net::key_pair_of(token.enrolment).public_key.z85();
    }

    ToTranscoder ask(const net::JoinToken& token, const TranscoderKey& who,
                     const std::string& key_used) {
        ToTranscoder answer = WhoAreYou{};
        enrolment.enrol(key_used, {who, token.id_hex(), "w1"},
                        [&](const ToTranscoder& said) { answer = said; });
        return answer;
    }
    ToTranscoder ask(const net::JoinToken& token, const TranscoderKey& who) {
        return ask(token, who, enrolment_key(token));
    }
};

TranscoderKey a_transcoder() {
    return {net::make_key_pair().public_key.z85()};
}

}  // namespace

TEST_CASE("a token enrols any number of transcoders, and the doorkeeper lets them in", "[link]") {
    Desk desk;
    const auto token = desk.make();
    const auto first = a_transcoder();
    const auto second = a_transcoder();
    CHECK(std::holds_alternative<Enrolled>(desk.ask(token, first)));
    CHECK(std::holds_alternative<Enrolled>(desk.ask(token, second)));
    REQUIRE(desk.doorkeeper->find(first.value));
    CHECK(desk.doorkeeper->find(first.value)->enrolled);
    CHECK(desk.store.enrolments.size() == 2);
    CHECK(desk.enrolment.tokens().front().enrolled == 2);
}

TEST_CASE("a token for one transcoder enrols one, and the same one again", "[link]") {
    Desk desk;
    const auto token = desk.make(std::chrono::hours(1), true);
    const auto first = a_transcoder();
    CHECK(std::holds_alternative<Enrolled>(desk.ask(token, first)));
    CHECK(std::holds_alternative<Enrolled>(desk.ask(token, first)));
    const auto answer = desk.ask(token, a_transcoder());
    REQUIRE(std::holds_alternative<JoinRefused>(answer));
    CHECK(std::get<JoinRefused>(answer).reason == JoinRefusal::refused);
}

TEST_CASE("a token id does not help without its enrolment key", "[link]") {
    Desk desk;
    const auto token = desk.make();
    const auto other = desk.make();
    const auto answer = desk.ask(token, a_transcoder(), Desk::enrolment_key(other));
    REQUIRE(std::holds_alternative<JoinRefused>(answer));
    CHECK(desk.store.enrolments.empty());
}

TEST_CASE("a revoked token is kept out at the door, also when the disk is full", "[link]") {
    Desk desk;
    const auto token = desk.make();
    desk.store.broken = true;
    bool saved = true;
    desk.enrolment.revoke_token(token.id_hex(),
                                [&](const Result<void>& result) { saved = result.has_value(); });
    CHECK_FALSE(saved);
    CHECK_FALSE(desk.doorkeeper->find(Desk::enrolment_key(token)));
    CHECK(std::holds_alternative<JoinRefused>(desk.ask(token, a_transcoder())));
}

TEST_CASE("nobody is told enrolled before the row is durable", "[link]") {
    Desk desk;
    const auto token = desk.make();
    desk.store.broken = true;
    const auto who = a_transcoder();
    CHECK(std::holds_alternative<WhoAreYou>(desk.ask(token, who)));  // no answer came
    CHECK_FALSE(desk.doorkeeper->find(who.value));
    desk.store.broken = false;
    CHECK(std::holds_alternative<Enrolled>(desk.ask(token, who)));
}

TEST_CASE("an unknown token id cannot be revoked", "[link]") {
    Desk desk;
    desk.enrolment.revoke_token("0011223344556677", [](const Result<void>& result) {
        REQUIRE_FALSE(result);
        CHECK(result.error().kind == ErrorKind::bad_input);
    });
}

TEST_CASE("tokens and enrolments come back after a restart", "[link]") {
    Desk desk;
    const auto token = desk.make();
    const auto revoked = desk.make();
    const auto who = a_transcoder();
    (void)desk.ask(token, who);
    desk.enrolment.revoke_token(revoked.id_hex(), [](const Result<void>&) {});
    std::vector<store::JoinTokenRow> tokens;
    for (const auto& [id, row] : desk.store.tokens)
        tokens.push_back(row);
    std::vector<store::EnrolmentRow> enrolments;
    for (const auto& [key, row] : desk.store.enrolments)
        enrolments.push_back(row);
    (void)desk.doorkeeper->forget(net::public_key_from_z85(who.value).value());

    Enrolment restarted(desk.store, *desk.doorkeeper, desk.key.public_key);
    restarted.restore(tokens, enrolments);
    CHECK(desk.doorkeeper->find(who.value));
    CHECK(desk.doorkeeper->find(Desk::enrolment_key(token)));
    CHECK_FALSE(desk.doorkeeper->find(Desk::enrolment_key(revoked)));
}

}  // namespace millrace::orchestrator
