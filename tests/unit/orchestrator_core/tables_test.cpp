// AnsweredWindow and Registry on their own.
#include "orchestrator/core/answered_window.h"
#include "orchestrator/core/limits.h"
#include "orchestrator/core/registry.h"
#include "tests/support/catch.h"
#include "tests/support/core_harness.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::testing;

namespace {

constexpr SessionNo kNews{1};
constexpr SessionNo kSport{2};

TimePoint at(Duration d) {
    return TimePoint{} + d;
}

Hello hello(const std::string& name, std::uint32_t slots = 2) {
    Hello m;
    m.name = name;
    m.slots = slots;
    m.capabilities = cpu_capabilities();
    return m;
}

}  // namespace

TEST_CASE("an answer is kept for thirty seconds and among the last twelve",
          "[orchestrator][window]") {
    AnsweredWindow window(30s, 12, 1 << 20);
    for (std::uint64_t i = 0; i < 13; ++i)
        CHECK(window.add(kNews, {0, i}, sha(std::to_string(i)), AnswerId{i + 1}, 10, at(i * 1s))
                  .empty());
    CHECK(window.find(kNews, 0, sha("0")) == AnswerId{1});
    CHECK(window.next_expiry() == at(30s));  // 13 answers: the oldest is beyond the last 12
    CHECK(window.expire(at(29s)).empty());
    CHECK(window.expire(at(30s)) == std::vector{AnswerId{1}});
    CHECK_FALSE(window.next_expiry());  // twelve are kept whatever their age
    CHECK_FALSE(window.find(kNews, 0, sha("0")));
    CHECK(window.find(kNews, 12, sha("12")) == AnswerId{13});
    CHECK_FALSE(window.find(kNews, 12, sha("13")));
    CHECK_FALSE(window.find(kSport, 12, sha("12")));
    CHECK(window.last(kNews, {0, 0})->sha256 == sha("0"));  // remembered longer than kept
    window.check_invariants();

    window.session_ended(kNews);
    CHECK(window.expire(at(41s)).size() == 11);
    window.forget_session(kNews);
    CHECK(window.size() == 1);  // still within its thirty seconds
    CHECK(window.expire(at(42s)).size() == 1);
    CHECK_FALSE(window.last(kNews, {0, 12}));
    window.check_invariants();
}

TEST_CASE("kept bytes are bounded over all sessions, the oldest go first",
          "[orchestrator][window]") {
    AnsweredWindow window(30s, 12, 100);
    CHECK(window.add(kNews, {0, 1}, sha("a"), AnswerId{1}, 60, at(0s)).empty());
    CHECK(window.add(kSport, {0, 1}, sha("b"), AnswerId{2}, 40, at(1s)).empty());
    CHECK(window.add(kSport, {0, 2}, sha("c"), AnswerId{3}, 30, at(2s)) ==
          std::vector{AnswerId{1}});
    CHECK(window.bytes() == 70);
    CHECK(window.add(kNews, {0, 2}, sha("d"), AnswerId{4}, 101, at(3s)) ==
          std::vector{AnswerId{2}, AnswerId{3}, AnswerId{4}});
    CHECK(window.bytes() == 0);
    CHECK(window.last(kNews, {0, 2}));
    window.check_invariants();
}

TEST_CASE("a number answered again replaces the older answer; memory is bounded",
          "[orchestrator][window]") {
    AnsweredWindow window(30s, 12, 1 << 20);
    CHECK(window.add(kNews, {0, 1}, sha("a"), AnswerId{1}, 5, at(0s)).empty());
    CHECK(window.add(kNews, {0, 1}, sha("a"), AnswerId{2}, 5, at(1s)) == std::vector{AnswerId{1}});
    CHECK(window.find(kNews, 1, sha("a")) == AnswerId{2});
    CHECK(window.add(kNews, {1, 1}, sha("b"), AnswerId{3}, 5, at(2s)).empty());
    CHECK(window.find(kNews, 1, sha("a")) == AnswerId{2});
    CHECK(window.find(kNews, 1, sha("b")) == AnswerId{3});
    for (std::uint64_t i = 0; i < 500; ++i)
        (void)window.add(kNews, {2, i}, sha("x"), AnswerId{10 + i}, 1, at(100s + i * 1s));
    window.check_invariants();
    (void)window.expire(at(1h));
    CHECK(window.size() == 12);
}

TEST_CASE("a second key with a live name becomes NAME-2 and keeps that",
          "[orchestrator][registry]") {
    Registry registry;
    CHECK(registry.join(key("a"), Incarnation{1}, hello("gpu"), at(0s)).name == "gpu");
    CHECK(registry.join(key("b"), Incarnation{2}, hello("gpu"), at(0s)).name == "gpu-2");
    CHECK(registry.join(key("c"), Incarnation{3}, hello("gpu"), at(0s)).name == "gpu-3");
    registry.lose(*registry.find(key("a")), "test", at(1s));
    CHECK(registry.join(key("b"), Incarnation{4}, hello("gpu"), at(2s)).name == "gpu-2");
    CHECK(registry.join(key("a"), Incarnation{5}, hello("gpu"), at(2s)).name == "gpu");
    CHECK(registry.join(key("c"), Incarnation{6}, hello("cpu"), at(2s)).name == "cpu");
    CHECK(registry.join(key("d"), Incarnation{7}, hello("gpu"), at(2s)).name == "gpu-3");
}

TEST_CASE("a name whose owner is gone goes to the key that asks for it",
          "[orchestrator][registry]") {
    Registry registry;
    registry.join(key("a"), Incarnation{1}, hello("gpu"), at(0s));
    registry.lose(*registry.find(key("a")), "test", at(1s));
    CHECK(registry.join(key("b"), Incarnation{2}, hello("gpu"), at(2s)).name == "gpu");
    CHECK(registry.take_unnamed() == registry.find(key("a")));
    CHECK(registry.find_name("gpu") == registry.find(key("b")));
    CHECK(registry.join(key("a"), Incarnation{3}, hello("gpu"), at(3s)).name == "gpu-2");
}

TEST_CASE("a restored key keeps its name", "[orchestrator][registry]") {
    Registry registry;
    registry.restore(key("a"), "gpu");
    registry.restore(key("b"), "gpu-2");
    registry.restore(key("c"), "gpu-box");
    CHECK(registry.find_name("gpu-2") == nullptr);  // not seen since this start
    CHECK(registry.join(key("b"), Incarnation{1}, hello("gpu"), at(0s)).name == "gpu-2");
    CHECK(registry.join(key("c"), Incarnation{2}, hello("gpu"), at(0s)).name == "gpu");
    CHECK(registry.join(key("a"), Incarnation{3}, hello("gpu"), at(0s)).name == "gpu-3");
}

TEST_CASE("claims are clamped and others' use is taken from the heartbeat",
          "[orchestrator][registry]") {
    Registry registry;
    Transcoder& t = registry.join(key("a"), Incarnation{1}, hello("a", 0), at(0s));
    CHECK(t.slots == 0);
    CHECK(t.headroom() == 0);
    Registry::claim_slots(t, 0xffffffff);
    CHECK(t.slots == kSlotsMax);
    Registry::claim_slots(t, 8);
    t.reserved = 2;
    Registry::note_others(t, 3, 2);  // 8 - 3 free - 2 ours
    CHECK(t.others == 3);
    CHECK(t.headroom() == 3);
    Registry::note_others(t, 0xffffffff, 0xffffffff);
    CHECK(t.others == 0);
    Registry::claim_slots(t, 1);
    CHECK(t.headroom() == 0);  // a lowered claim never goes below zero
    t.reserved = 0;
}

TEST_CASE("three strikes or device failures quarantine, slow ones do not",
          "[orchestrator][registry]") {
    Transcoder t;
    CHECK_FALSE(Registry::strike(t, at(0s)));
    CHECK_FALSE(Registry::strike(t, at(9min)));
    CHECK_FALSE(Registry::strike(t, at(18min)));  // the first is too old by now
    CHECK(Registry::strike(t, at(18min + 1s)));
    CHECK(t.quarantined());
    Transcoder d;
    CHECK_FALSE(Registry::device_failed(d, at(0s)));
    CHECK_FALSE(Registry::device_failed(d, at(30s)));
    CHECK(Registry::device_failed(d, at(59s)));
}
