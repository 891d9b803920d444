#include "orchestrator/core/quota.h"

#include "orchestrator/core/admission.h"
#include "tests/support/catch.h"
#include "tests/support/core_harness.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::testing;

namespace {

const TimePoint kStart = TimePoint{} + 1h;
const AccountId kAcme{"acme"};

UploadRequest upload(const std::string& stream, std::uint64_t seq,
                     const AccountId& account = kAcme) {
    UploadRequest request;
    request.stream = {stream};
    request.account = account;
    request.fresh_id = session_id("of " + stream);
    request.seq = seq;
    request.content_length = 1000;
    return request;
}

const Refusal* refusal_of(const UploadDecision& decision) {
    return std::get_if<Refusal>(&decision);
}

bool admitted(const UploadDecision& decision) {
    return refusal_of(decision) == nullptr;
}

// One transcoder with room, and accounts that have to be known.
struct World {
    World() : world(accounts_only()) {
        world.transcoder("t", 8);
        world.call([this](OrchestratorCore& c, TimePoint) { core_ = &c; });
    }
    OrchestratorCore& core() { return *core_; }
    static CoreConfig accounts_only() {
        CoreConfig c = config();
        c.accounts_only = true;
        return c;
    }
    Harness world;

private:
    OrchestratorCore* core_ = nullptr;
};

}  // namespace

TEST_CASE("a bucket lets its burst through at once and then flows", "[core][quota]") {
    Bucket bucket(6, std::chrono::minutes(1), std::chrono::minutes(1), kStart);
    for (int i = 0; i < 6; ++i) {
        CHECK(bucket.wait(kStart) == 0s);
        bucket.take(1, kStart);
    }
    CHECK(bucket.wait(kStart) == 10s);
    CHECK(bucket.wait(kStart + 9999ms) == 1ms);
    CHECK(bucket.wait(kStart + 10s) == 0s);
    bucket.take(1, kStart + 10s);
    CHECK(bucket.wait(kStart + 10s) == 10s);
    bucket.give_back(1);
    CHECK(bucket.wait(kStart + 10s) == 0s);
    CHECK(bucket.wait(kStart + 1000h) == 0s);
    for (int i = 0; i < 6; ++i)
        bucket.take(1, kStart + 1000h);
    CHECK(bucket.wait(kStart + 1000h) == 10s);  // no more than its burst was saved up
}

TEST_CASE("a bucket pays what is larger than itself, and then waits", "[core][quota]") {
    Bucket bucket(1000, 1s, 10s, kStart);
    bucket.take(32'000'000, kStart);
    // 32,000,000 - 10,000 in hand, and 1 to have one: at 1000/s.
    CHECK(bucket.wait(kStart) == 31990s + 1ms);
    CHECK(bucket.wait(kStart + 31991s) == 0s);
    Bucket largest(kAccountRateMax, 1s, 10s, kStart);
    for (int i = 0; i < 1000; ++i)
        largest.take(std::uint64_t{1} << 63, kStart);
    CHECK(largest.wait(kStart) > 0s);  // and no overflow
    CHECK(largest.wait(kStart + 24h * 365) == 0s);
}

TEST_CASE("an account opens as many sessions as it may, and one more when one has ended",
          "[core][quota]") {
    World w;
    OrchestratorCore& core = w.core();
    const TimePoint now = w.world.now();
    AccountLimits limits;
    limits.sessions = 2;
    core.set_account(kAcme, limits, now);
    core.set_account({"other"}, {}, now);
    CHECK(admitted(core.begin_upload(upload("a", 0), now)));  // its body is still arriving
    CHECK(std::holds_alternative<SessionOpened>(
        core.open_session({session_id("b"), {"b"}, kAcme, std::nullopt}, now)));
    const auto third = core.begin_upload(upload("c", 0), now);
    REQUIRE(refusal_of(third) != nullptr);
    CHECK(refusal_of(third)->code == ApiCode::quota_exceeded);
    CHECK(refusal_of(third)->detail == "the account's limit is reached: sessions 2");
    CHECK(refusal_of(third)->retry_after);
    const auto opened = core.open_session({session_id("c"), {"c"}, kAcme, std::nullopt}, now);
    CHECK(std::get<Refusal>(opened).code == ApiCode::quota_exceeded);
    CHECK(admitted(core.begin_upload(upload("a", 1), now)));  // of a session it has
    CHECK(admitted(core.begin_upload(upload("d", 0, {"other"}), now)));
    CHECK_FALSE(core.end_session(session_id("b"), EndReason::requested, now));
    CHECK(admitted(core.begin_upload(upload("c", 0), now)));
    core.check_invariants();
}

TEST_CASE(
    "segments beyond the rate are refused until it has flowed; uploads that come to nothing "
    "cost nothing",
    "[core][quota]") {
    World w;
    OrchestratorCore& core = w.core();
    const TimePoint now = w.world.now();
    AccountLimits limits;
    limits.segments_per_minute = 2;
    core.set_account(kAcme, limits, now);
    const auto first = core.begin_upload(upload("a", 0), now);
    REQUIRE(admitted(first));
    REQUIRE(admitted(core.begin_upload(upload("b", 0), now)));
    const auto third = core.begin_upload(upload("c", 0), now);
    REQUIRE(refusal_of(third) != nullptr);
    CHECK(refusal_of(third)->detail == "the account's limit is reached: segments per minute 2");
    CHECK(refusal_of(third)->retry_after == Duration(30s));
    // The same number again may be a repeat, which costs nothing.
    CHECK(admitted(core.begin_upload(upload("a", 0), now)));
    core.abort_upload(std::get<UploadAdmitted>(first).upload, now);
    CHECK(admitted(core.begin_upload(upload("c", 0), now)));
    CHECK_FALSE(admitted(core.begin_upload(upload("d", 0), now)));
    w.world.run_for(29s);
    CHECK_FALSE(admitted(w.world.begin(upload("d", 0))));
    w.world.run_for(1s);
    CHECK(admitted(w.world.begin(upload("d", 0))));
}

TEST_CASE("bytes are charged as they are, not as they were announced", "[core][quota]") {
    World w;
    OrchestratorCore& core = w.core();
    const TimePoint now = w.world.now();
    AccountLimits limits;
    limits.bytes_per_second = 1000;  // and 10,000 at once
    core.set_account(kAcme, limits, now);
    UploadRequest chunked = upload("a", 0);
    chunked.content_length.reset();
    const auto begun = core.begin_upload(chunked, now);
    REQUIRE(admitted(begun));
    const auto done =
        core.finish_upload(std::get<UploadAdmitted>(begun).upload, sha("x"), 14'000, now);
    REQUIRE(std::holds_alternative<TaskAccepted>(done));
    const auto next = core.begin_upload(upload("a", 1), now);
    REQUIRE(refusal_of(next) != nullptr);
    CHECK(refusal_of(next)->detail == "the account's limit is reached: bytes per second 1000");
    CHECK(refusal_of(next)->retry_after == Duration(4001ms));
}

TEST_CASE("the quota comes after what no transcoder could do and before what is full",
          "[core][quota]") {
    AdmissionFacts facts;
    facts.quota = Refusal{ApiCode::quota_exceeded, "enough", std::nullopt};
    facts.new_session = true;
    facts.sessions_open = facts.sessions_max = 1;  // Busy
    facts.limits.by_operator = 0;                  // Capped
    CHECK(admit(facts)->code == ApiCode::no_transcoders);
    facts.transcoder_ready = true;
    CHECK(admit(facts)->code == ApiCode::no_compatible_transcoders);
    facts.compatible = true;
    CHECK(admit(facts)->code == ApiCode::quota_exceeded);
    facts.stake_active = false;
    CHECK(admit(facts)->code == ApiCode::stake_inactive);
    facts.store_available = false;
    CHECK(admit(facts)->code == ApiCode::storage_unavailable);
    facts.shutting_down = true;
    CHECK(admit(facts)->code == ApiCode::shutting_down);
    facts = AdmissionFacts{};
    facts.has_place = true;
    facts.quota = Refusal{ApiCode::quota_exceeded, "enough", std::nullopt};
    CHECK(admit(facts)->code == ApiCode::quota_exceeded);
}

TEST_CASE("a removed account's sessions end and its requests are unauthorized", "[core][quota]") {
    World w;
    OrchestratorCore& core = w.core();
    const TimePoint now = w.world.now();
    CHECK(refusal_of(core.begin_upload(upload("a", 0), now))->code == ApiCode::unauthorized);
    core.set_account(kAcme, {}, now);
    const auto arriving = core.begin_upload(upload("a", 0), now);
    REQUIRE(admitted(arriving));
    REQUIRE(std::holds_alternative<SessionOpened>(
        core.open_session({session_id("b"), {"b"}, kAcme, std::nullopt}, now)));
    core.remove_account(kAcme, now);
    core.check_invariants();
    CHECK(core.status().sessions.empty());
    const auto done =
        core.finish_upload(std::get<UploadAdmitted>(arriving).upload, sha("x"), 1000, now);
    CHECK(std::get<Refusal>(done).code == ApiCode::not_found);
    CHECK(refusal_of(core.begin_upload(upload("a", 1), now))->code == ApiCode::unauthorized);
    const auto opened = core.open_session({session_id("b"), {"b"}, kAcme, std::nullopt}, now);
    CHECK(std::get<Refusal>(opened).code == ApiCode::unauthorized);
    core.check_invariants();
    // The stream names are free for others.
    core.set_account({"other"}, {}, now);
    CHECK(admitted(core.begin_upload(upload("a", 0, {"other"}), now)));
}

TEST_CASE("a session is ended by its own account only", "[core][quota]") {
    World w;
    OrchestratorCore& core = w.core();
    const TimePoint now = w.world.now();
    core.set_account(kAcme, {}, now);
    REQUIRE(std::holds_alternative<SessionOpened>(
        core.open_session({session_id("b"), {"b"}, kAcme, std::nullopt}, now)));
    CHECK(core.end_session(session_id("b"), EndReason::requested, now, AccountId{"other"})->code ==
          ApiCode::forbidden);
    CHECK_FALSE(core.end_session(session_id("b"), EndReason::requested, now, kAcme));
}

TEST_CASE("pixels are charged when they are booked, and hold back what comes after",
          "[core][quota]") {
    World w;
    AccountLimits limits;
    limits.pixels_per_second = 1'000'000;
    w.core().set_account(kAcme, limits, w.world.now());
    // Two seconds of two small renditions are more than the ten million that may come at once.
    const auto begun = w.world.begin(upload("a", 0));
    REQUIRE(admitted(begun));
    const auto task = w.world.finish(std::get<UploadAdmitted>(begun).upload, "x");
    REQUIRE(w.world.ending(std::get<TaskAccepted>(task).task).ok());
    const auto next = w.world.begin(upload("a", 1));
    REQUIRE(refusal_of(next) != nullptr);
    CHECK(refusal_of(next)->detail ==
          "the account's limit is reached: encoded pixels per second 1000000");
    w.world.run_for(*refusal_of(next)->retry_after);
    CHECK(admitted(w.world.begin(upload("a", 1))));
}
