// Who signs with what, and which results count.

#include <algorithm>

#include "tests/support/catch.h"
#include "tests/support/core_harness.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::testing;

namespace {

using What = Noted::What;

const OrchestratorKey kOwn{"the orchestrator"};
const SignerKey kSigner{sha("a signing key")};

// As much of a signature scheme as the core can tell from a real one.
Signature fake_signature(const SignerKey& key, std::string_view bytes) {
    const Sha256 half = sha(std::string(key.bytes.begin(), key.bytes.end()) + std::string(bytes));
    Signature signature{};
    std::copy(half.begin(), half.end(), signature.begin());
    return signature;
}

CoreConfig signing_config() {
    CoreConfig c = config();
    c.own_key = kOwn;
    c.signature_holds = [](const SignerKey& key, std::string_view bytes, const Signature& found) {
        return fake_signature(key, bytes) == found;
    };
    return c;
}

// How an honest transcoder signs, but for what a test changes about it.
struct Hand {
    OrchestratorKey orchestrator = kOwn;
    SignerKey signer = kSigner;
    std::uint64_t seq_off_by = 0;
    std::int64_t pixels_off_by = 0;

    void operator()(const FakeTranscoder& t, const Dispatch& task, TaskFinished& m) const {
        ReceiptStub stub{{1'000}, "test 1", "cpu"};
        SegmentKey segment = task.segment;
        segment.seq += seq_off_by;
        TranscodeReport report = m.report;
        report.renditions.back().pixels += pixels_off_by;
        const ReceiptParties parties{orchestrator, t.key, signer};
        stub.signature =
            fake_signature(signer, signed_bytes(receipt_of(parties, segment, report, stub)));
        m.receipt = stub;
    }
};

FakeTranscoder& signing_transcoder(Harness& world, const std::string& name, Hand hand = {}) {
    FakeTranscoder& t = world.silent_transcoder(name);
    t.signer = kSigner;
    t.signs = [&t, hand](const Dispatch& task, TaskFinished& m) { hand(t, task, m); };
    t.hello();
    world.run_for(5ms);
    return t;
}

std::optional<std::string> refusal_heard(const FakeTranscoder& t) {
    for (const ToTranscoder& m : t.heard)
        if (const auto* no = std::get_if<JoinRefused>(&m))
            return no->detail;
    return std::nullopt;
}

}  // namespace

TEST_CASE("a signed result is committed with the receipt that was signed",
          "[orchestrator][receipts]") {
    Harness world(signing_config());
    const FakeTranscoder& t = signing_transcoder(world, "one");
    REQUIRE(world.ending(world.accept("s", 7)).ok());
    REQUIRE(world.commits.size() == 1);
    const Commit& commit = world.commits[0];
    REQUIRE(commit.receipt);
    CHECK(fake_signature(kSigner, commit.receipt->bytes) == commit.receipt->signature);
    const auto receipt = receipt_from(commit.receipt->bytes);
    REQUIRE(receipt);
    CHECK(receipt->parties == ReceiptParties{kOwn, t.key, kSigner});
    CHECK(receipt->segment == commit.segment);
    CHECK(receipt->renditions.size() == commit.report.renditions.size());
    CHECK(receipt->renditions.at(1).sha256 == commit.report.renditions.at(1).sha256);
    CHECK(receipt->software == "test 1");
    CHECK(world.status().transcoders.at(0).signer == kSigner);
}

TEST_CASE("a key is to be kept once, before anything is committed", "[orchestrator][receipts]") {
    Harness world(signing_config());
    FakeTranscoder& t = signing_transcoder(world, "one");
    t.hello();
    REQUIRE(world.ending(world.accept("s", 1)).ok());
    const auto kept = world.all<KeepSigner>();
    REQUIRE(kept.size() == 1);
    CHECK(kept[0] == KeepSigner{t.key, kSigner});
    const auto place = [&world](const auto& is) {
        return std::find_if(world.log.begin(), world.log.end(), is) - world.log.begin();
    };
    CHECK(place([](const Effect& e) { return std::holds_alternative<KeepSigner>(e); }) <
          place([](const Effect& e) { return std::holds_alternative<Commit>(e); }));
}

TEST_CASE("whoever signs nothing is believed without a receipt", "[orchestrator][receipts]") {
    Harness world(signing_config());
    (void)world.transcoder("old");
    REQUIRE(world.ending(world.accept("s", 1)).ok());
    CHECK_FALSE(world.commits.at(0).receipt);
    CHECK(world.all<KeepSigner>().empty());
    CHECK_FALSE(world.status().transcoders.at(0).signer);
}

TEST_CASE("a receipt for anything but this result here is a lie, and others do the work",
          "[orchestrator][receipts]") {
    Hand elsewhere, other_key, other_segment, more_pixels;
    elsewhere.orchestrator = {"another orchestrator"};
    other_key.signer = SignerKey{sha("another key")};
    other_segment.seq_off_by = 1;
    more_pixels.pixels_off_by = 1;
    for (const Hand& hand : {elsewhere, other_key, other_segment, more_pixels}) {
        Harness world(signing_config());
        (void)signing_transcoder(world, "liar", hand);
        CHECK_FALSE(world.ending(world.accept("s", 1)).ok());
        CHECK(world.commits.empty());
        CHECK(world.noted(What::bad_result) == 3);
        CHECK(world.state_of("liar") == "quarantined");
        (void)signing_transcoder(world, "honest");
        CHECK(world.ending(world.accept("s", 2)).ok());
    }
    Harness world(signing_config());
    FakeTranscoder& silent = signing_transcoder(world, "silent");
    silent.signs = nullptr;
    const Ending& ending = world.ending(world.accept("s", 1));
    CHECK_FALSE(ending.ok());
    CHECK_THAT(ending.detail(), Catch::Contains("its receipt is missing"));
}

TEST_CASE("a signing key once told is kept for ever: another or none may not join",
          "[orchestrator][receipts]") {
    for (const auto& told :
         {std::optional(SignerKey{sha("another key")}), std::optional<SignerKey>()}) {
        Harness world(signing_config());
        FakeTranscoder& t = signing_transcoder(world, "one");
        t.signer = told;
        t.restart();
        world.run_for(1s);
        CHECK_THAT(refusal_heard(t).value_or(""), Catch::Contains("data directory"));
        CHECK_FALSE(t.registered_as);
        t.signer = kSigner;
        t.restart();
        world.run_for(1s);
        CHECK(t.registered_as == "one");
    }
}

TEST_CASE("a signing key is known after a restart of the orchestrator",
          "[orchestrator][receipts]") {
    Harness world(signing_config());
    world.call([](OrchestratorCore& c, TimePoint now) {
        c.restore({}, {{key("one"), "one", kSigner}}, now);
    });
    FakeTranscoder& t = world.silent_transcoder("one");
    t.signer = SignerKey{sha("another key")};
    t.hello();
    world.run_for(5ms);
    CHECK(refusal_heard(t));
    CHECK(world.all<KeepSigner>().empty());
}
