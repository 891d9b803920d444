// The leaf policies on their own: admission, effort, scheduler, retry, forecast, poison, result check, timers.
#include "orchestrator/core/admission.h"
#include "orchestrator/core/effort.h"
#include "orchestrator/core/forecast.h"
#include "orchestrator/core/limits.h"
#include "orchestrator/core/poison.h"
#include "orchestrator/core/result_check.h"
#include "orchestrator/core/retry_policy.h"
#include "orchestrator/core/scheduler.h"
#include "orchestrator/core/timers.h"
#include "tests/support/catch.h"
#include "tests/support/core_harness.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::testing;

namespace {

AdmissionFacts welcome() {
    AdmissionFacts f;
    f.transcoder_ready = f.compatible = true;
    f.limits.by_transcoders = 4;
    f.room = 4;
    f.sessions_max = 10;
    f.in_flight_max = 4;
    f.payload_budget = 1000;
    return f;
}

TimePoint at(Duration d) {
    return TimePoint{} + d;
}

}  // namespace

TEST_CASE("refusals come in the contract's order", "[orchestrator][admission]") {
    // Each row breaks one thing more than the row after it: the first named must win.
    struct Row {
        ApiCode code;
        void (*spoil)(AdmissionFacts&);
    };
    const std::vector<Row> rows{
        {ApiCode::shutting_down, [](AdmissionFacts& f) { f.shutting_down = true; }},
        {ApiCode::storage_unavailable, [](AdmissionFacts& f) { f.store_available = false; }},
        {ApiCode::stake_inactive, [](AdmissionFacts& f) { f.stake_active = false; }},
        {ApiCode::no_transcoders, [](AdmissionFacts& f) { f.transcoder_ready = false; }},
        {ApiCode::no_compatible_transcoders, [](AdmissionFacts& f) { f.compatible = false; }},
        {ApiCode::orchestrator_capped, [](AdmissionFacts& f) { f.used = 4; }},
        {ApiCode::orchestrator_busy, [](AdmissionFacts& f) { f.in_flight = 4; }},
    };
    CHECK_FALSE(admit(welcome()));
    for (std::size_t first = 0; first < rows.size(); ++first) {
        AdmissionFacts f = welcome();
        for (std::size_t i = first; i < rows.size(); ++i)
            rows[i].spoil(f);
        const auto no = admit(f);
        REQUIRE(no);
        CHECK(no->code == rows[first].code);
        CHECK_FALSE(no->detail.empty());
    }
}

TEST_CASE("a session with a place is refused only what concerns the whole process",
          "[orchestrator][admission]") {
    AdmissionFacts f = welcome();
    f.has_place = true;
    f.stake_active = f.transcoder_ready = f.compatible = false;
    f.used = 99;
    f.room = 0;
    CHECK_FALSE(admit(f));
    f.in_flight = 4;
    CHECK(admit(f)->code == ApiCode::orchestrator_busy);
    f.may_repeat = true;
    CHECK_FALSE(admit(f));
    f.repeats = kRepeatUploadsMax;
    CHECK(admit(f)->code == ApiCode::orchestrator_busy);
    f.store_available = false;
    CHECK(admit(f)->code == ApiCode::storage_unavailable);
}

TEST_CASE("a refusal names the limit that binds", "[orchestrator][admission]") {
    AdmissionFacts f = welcome();
    f.used = 4;
    CHECK(admit(f)->detail.find("transcoders") != std::string::npos);
    f.limits.by_operator = 2;
    CHECK(admit(f)->detail.find("operator") != std::string::npos);
    f.limits.by_stake = 1;
    CHECK(admit(f)->detail.find("stake") != std::string::npos);
    CHECK(admit(f)->retry_after);
    CHECK(effective_limit(f.limits).sessions == 1);

    AdmissionFacts none = welcome();
    none.limits.by_operator = 0;
    CHECK(admit(none)->code == ApiCode::orchestrator_capped);
    AdmissionFacts full = welcome();
    full.claims = 4;
    CHECK(admit(full)->detail.find("transcoders") != std::string::npos);
}

TEST_CASE("the byte budget and the number of sessions answer busy", "[orchestrator][admission]") {
    AdmissionFacts f = welcome();
    f.payload_bytes = 600;
    f.upload_bytes = 400;
    CHECK_FALSE(admit(f));
    f.upload_bytes = 401;
    CHECK(admit(f)->code == ApiCode::orchestrator_busy);
    f.upload_bytes = ~std::uint64_t{0};
    CHECK(admit(f)->code == ApiCode::orchestrator_busy);
    AdmissionFacts many = welcome();
    many.new_session = true;
    many.sessions_open = 10;
    CHECK(admit(many)->code == ApiCode::orchestrator_busy);
}

TEST_CASE("the scheduler ranks by cost, then real time, then slots, then key",
          "[orchestrator][scheduler]") {
    const TranscoderKey a{"a"}, b{"b"};
    const Cost need{0, 100, 1, 0};
    const auto best = [&](Candidate first, Candidate second) {
        const std::vector<Candidate> both{first, second};
        const std::vector<Candidate> turned{second, first};
        const auto one = pick(both, need);
        const auto two = pick(turned, need);
        REQUIRE(one.has_value());
        REQUIRE(two.has_value());
        CHECK(both[*one].key == turned[*two].key);  // whatever the order they come in
        return both[*one].key->value;
    };
    const Capacity measured{{0, 1000, 0, 0}, {}};
    CHECK(best({&a, 1, measured, {0, 500, 0, 0}, 9000}, {&b, 1, measured, {}, 500}) == "b");
    CHECK(best({&a, 9, {}, {}, 900}, {&b, 1, {}, {}, 1000}) == "b");  // not in real time
    CHECK(best({&a, 1, {}, {}, 9000}, {&b, 2, {}, {}, 1200}) ==
          "b");                                                     // both in real time: more room
    CHECK(best({&a, 1, {}, {}, 9000}, {&b, 2, {}, {}, 0}) == "b");  // unmeasured gets its chance
    CHECK(best({&a, 2, {}, {}, 0}, {&b, 2, {}, {}, 0}) == "a");
    CHECK(best({&a, 0, {}, {}, 0}, {&b, 1, {}, {}, 0}) == "b");  // no slot
    CHECK(best({&a, 9, measured, {0, 950, 0, 0}, 0}, {&b, 1, {}, {}, 0}) ==
          "b");  // no room in cost
    CHECK_FALSE(pick(std::vector<Candidate>{{&a, 0, {}, {}, 0}}, need));
}

TEST_CASE("a candidate takes as many sessions as its slots and its cost last for",
          "[orchestrator][scheduler]") {
    const TranscoderKey a{"a"};
    const Cost need{50, 10, 1, 0};
    const auto limits = [](const Cost& most) { return Capacity{most, {}}; };
    CHECK(places({&a, 4, {}, {}, 0}, need) == 4);  // nothing measured: slots alone
    CHECK(places({&a, 4, limits({100, 0, 0, 0}), {}, 0}, need) == 2);
    CHECK(places({&a, 4, limits({100, 0, 0, 0}), {51, 0, 0, 0}, 0}, need) == 0);
    CHECK(places({&a, 4, limits({100, 100, 1, 0}), {}, 0}, need) == 1);  // the scarcest
    CHECK(places({&a, 4, limits({100, 0, 0, 0}), {900, 0, 0, 0}, 0}, need) == 0);
    CHECK(places({&a, 0, limits({100, 0, 0, 0}), {}, 0}, need) == 0);
    CHECK(places({&a, 4, limits({100, 0, 0, 0}), {}, 0}, Cost{}) == 4);  // costs nothing
}

TEST_CASE("decoding, scaling and encoding take of one CPU", "[orchestrator][scheduler]") {
    const TranscoderKey a{"a"};
    const Capacity cpu{{}, {.decode = 2, .scale = 1, .encode = 10, .available = 1000}};
    const Cost decodes{.decode_pixels = 200, .encode_work = 10};
    const Cost encodes{.decode_pixels = 10, .scale_pixels = 10, .encode_work = 47};
    CHECK(places({&a, 9, cpu, {}, 0}, decodes) == 2);
    CHECK(places({&a, 9, cpu, {}, 0}, encodes) == 2);
    // Not as two limits: what one takes, the other has not.
    CHECK(places({&a, 9, cpu, decodes, 0}, encodes) == 1);
    CHECK(places({&a, 9, cpu, decodes + encodes, 0}, encodes) == 0);
    CHECK(places({&a, 9, cpu, all_of(cpu), 0}, {.encode_work = 1}) == 0);
    CHECK(places({&a, 9, cpu, {}, 0}, {.encode_work = 1'000'000}) == 1);  // idle: it takes any
    const std::vector<Candidate> both{{&a, 9, cpu, decodes, 0}, {&a, 9, cpu, {}, 0}};
    CHECK(pick(both, encodes) == 1U);  // more of the CPU is left there
}

TEST_CASE("prices and pixels beyond all bounds stay within arithmetic",
          "[orchestrator][scheduler]") {
    constexpr std::int64_t kMost = INT64_MAX >> 16;
    const Cost absurd{kMost, kMost, kMost, kMost, kMost, kMost};
    const CpuBudget prices{INT64_MAX, INT64_MAX, INT64_MAX, 1'000'000'000'000'000};
    CHECK(cpu_of(absurd, prices) > 0);
    CHECK_FALSE(fits(absurd, absurd, {{}, prices}));
    const TranscoderKey a{"a"};
    CHECK(places({&a, 9, {{}, prices}, absurd, 0}, absurd) == 0);
    CHECK(completed(Cost{kMost, kMost, kMost, 0}).scale_pixels > 0);
}

TEST_CASE("what a segment was says what its session costs a second", "[orchestrator][scheduler]") {
    TranscodeReport made = report(small_ladder(), 4s);
    const auto cost = measured_cost(made, small_ladder(), 1'000'000);
    REQUIRE(cost.has_value());
    CHECK(cost->decode_pixels == 60 * 1280 * 720 / 4);
    CHECK(cost->encode_pixels == 60 * (426 * 240 + 640 * 360) / 4);
    CHECK(cost->encoder_sessions == 2);
    CHECK(cost->bytes == (1'000'000 + 100 + 101) / 4);
    CHECK(cost->scale_pixels == 2 * cost->decode_pixels);
    CHECK(cost->encode_work == cost->encode_pixels);  // H.264 at veryfast
    Ladder slower = small_ladder();
    slower[1].preset = "medium";
    CHECK(measured_cost(made, slower, 0)->encode_work > cost->encode_work);
    CHECK(measured_cost(made, slower, 0)->encode_pixels == cost->encode_pixels);
    made.renditions[0].pixels = 0;  // the source's own video, copied
    CHECK(measured_cost(made, small_ladder(), 0)->encoder_sessions == 1);
    made.source.pixels = 0;  // audio alone
    CHECK_FALSE(measured_cost(made, small_ladder(), 1'000'000));
    // a stream's last picture
    CHECK_FALSE(measured_cost(report(small_ladder(), 40ms), small_ladder(), 1000));
}

TEST_CASE("effort rises fast, falls slowly and stays within bounds", "[orchestrator][effort]") {
    Effort effort;
    CHECK(effort.permille() == 1000);
    effort.add(3000, 2s);
    CHECK(effort.permille() == 2000);
    for (int i = 0; i < 6; ++i)
        effort.add(3000, 2s);
    CHECK(effort.permille() > 2950);
    effort.add(500, 2s);
    CHECK(effort.permille() > 2850);  // one quiet segment
    for (int i = 0; i < 15; ++i)
        effort.add(500, 2s);
    CHECK(effort.permille() > 1500);  // half a minute of it
    for (int i = 0; i < 300; ++i)
        effort.add(500, 2s);
    CHECK(effort.permille() < 520);
    CHECK(effort.permille() >= kEffortMin);
    for (int i = 0; i < 100; ++i)
        effort.add(INT64_MAX, 24h);
    CHECK(effort.permille() > kEffortMax - 10);
    CHECK(effort.permille() <= kEffortMax);
    effort.add(INT64_MIN, 24h);
    CHECK(effort.permille() == kEffortMin);
}

TEST_CASE("a segment shows its effort beside what prices say of it", "[orchestrator][effort]") {
    const CpuBudget prices{2'000, 700, 9'000, 1'000'000'000'000};
    TranscodeReport made = report(small_ladder(), 2s);
    const Cost cost = *measured_cost(made, small_ladder(), 1000);
    const std::int64_t us = 2 * cpu_of(cost, prices) / 1'000'000;  // of two seconds
    CHECK_FALSE(effort_of(made, cost, prices));                    // not told
    made.cpu_us = us;
    CHECK(effort_of(made, cost, prices) == 1000);
    made.cpu_us = 2 * us;
    CHECK(effort_of(made, cost, prices) == 2000);
    made.cpu_us = INT64_MAX;
    CHECK(effort_of(made, cost, prices) == kEffortMax);
    made.cpu_us = 1;
    CHECK(effort_of(made, cost, prices) == kEffortMin);
    made.cpu_us = us;
    CHECK_FALSE(effort_of(made, cost, {2'000, 700, 9'000, 0}));  // not measured
    CHECK_FALSE(effort_of(made, cost, {2'000, 700, 0, 1'000'000'000'000}));
    Cost copied = cost;
    copied.encode_work = 0;
    CHECK_FALSE(effort_of(made, copied, prices));
    CHECK(effort_of(made, cost, {INT64_MAX, INT64_MAX, INT64_MAX, 1}) == kEffortMin);
}

TEST_CASE("a cost carries the effort of its pictures", "[orchestrator][effort]") {
    const CpuBudget prices{2'000, 700, 9'000, 1'000'000'000'000};
    const Cost cost = *measured_cost(report(small_ladder(), 2s), small_ladder(), 1000);
    const auto times = [&](std::int64_t permille) {
        const Cost with = with_effort(cost, permille, prices);
        CHECK(with.decode_pixels == cost.decode_pixels);
        CHECK(with.encode_pixels == cost.encode_pixels);
        return static_cast<double>(cpu_of(with, prices)) /
               static_cast<double>(cpu_of(cost, prices));
    };
    CHECK(times(2400) == Approx(2.4).epsilon(0.001));
    CHECK(times(8000) == Approx(8).epsilon(0.001));
    CHECK(times(800) == Approx(0.8).epsilon(0.001));
    CHECK(times(1000) == 1);
    CHECK(times(kEffortTolerated) == 1);  // measured numbers hold with that to spare
    CHECK(times(kEffortTolerated + 1) > 1.1);
    CHECK(times(600) == Approx(0.6).epsilon(0.001));
    // Encoding alone cannot give back what decoding was thought to take; it is never "not told".
    const CpuBudget decoding{90'000, 700, 9'000, 1'000'000'000'000};
    CHECK(with_effort(cost, 500, decoding).encode_work == 1);
    // Without prices, as if all of it was encoding.
    CHECK(with_effort(cost, 3000, {}).encode_work / 1000 == 3 * cost.encode_work / 1000);
    constexpr std::int64_t kMost = INT64_MAX >> 16;
    const CpuBudget absurd{INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
    CHECK(with_effort({kMost, kMost, kMost, kMost, kMost, kMost}, INT64_MAX, absurd).encode_work >
          0);
    CHECK(with_effort({kMost, kMost, kMost, kMost, kMost, kMost}, INT64_MAX, {}).encode_work > 0);
    CHECK(with_effort({}, 8000, prices) == Cost{});
}

TEST_CASE("the cost of a ladder counts pixels, encoders and bytes", "[orchestrator][scheduler]") {
    const Cost cost = estimate_cost(small_ladder());
    CHECK(cost.encode_pixels == (426 * 240 + 640 * 360) * 30);
    CHECK(cost.decode_pixels == 640 * 360 * 30);  // at least: the source may be larger
    CHECK(cost.encoder_sessions == 2);
    CHECK(cost.bytes == (600'000 + 1'200'000) / 8);
    CHECK(cost.scale_pixels == 2 * cost.decode_pixels);
    CHECK(cost.encode_work == cost.encode_pixels);
    Ladder harder = small_ladder();
    harder[0].codec = VideoCodec::hevc;
    CHECK(estimate_cost(harder).encode_work > cost.encode_work);
    harder[0].preset = "a word of a later version";
    CHECK(estimate_cost(harder).encode_work > 0);
    RenditionSpec absurd;
    absurd.width = absurd.height = 2'000'000'000;
    absurd.fps = {2'000'000'000, 1};
    CHECK(estimate_cost({absurd}).encode_pixels > 0);
}

TEST_CASE("the reaction to an error is a table over its kind", "[orchestrator][retry]") {
    CHECK(reaction(ErrorKind::bad_input) == Reaction::give_up);
    CHECK(reaction(ErrorKind::unsupported) == Reaction::elsewhere);
    for (const ErrorKind kind : {ErrorKind::overloaded, ErrorKind::disconnected, ErrorKind::timeout,
                                 ErrorKind::device, ErrorKind::internal})
        CHECK(reaction(kind) == Reaction::elsewhere_or_again);
    CHECK(retry_pause(1) == 50ms);
    CHECK(retry_pause(3) == 200ms);
    CHECK(retry_pause(1000) == 800ms);
}

TEST_CASE("a budget allows a share of dispatches and a burst", "[orchestrator][retry]") {
    Budget budget(kRetryShare, 2);
    CHECK(budget.take(4));
    CHECK(budget.take(4));
    CHECK_FALSE(budget.take(4));
    for (int i = 0; i < 9; ++i)
        budget.dispatched();
    CHECK_FALSE(budget.take(4));
    budget.dispatched();
    CHECK(budget.take(4));
    for (int i = 0; i < 1000; ++i)
        budget.dispatched();
    int taken = 0;
    while (budget.take(4))
        ++taken;
    CHECK(taken == 4);  // what was saved beyond the burst is forfeited
}

TEST_CASE("deadlines are three durations within four and thirty seconds",
          "[orchestrator][forecast]") {
    const CoreConfig c = config();
    CHECK(deadline_for(at(1s), 1s, c) == at(5s));
    CHECK(deadline_for(at(1s), 2s, c) == at(7s));
    CHECK(deadline_for(at(1s), 10s, c) == at(31s));
    CHECK(deadline_for(at(1s), std::chrono::hours(500'000), c) == at(31s));
    CHECK(deadline_for(at(1s), -5s, c) == at(5s));
}

TEST_CASE("a forecast follows the pace so far", "[orchestrator][forecast]") {
    CHECK_FALSE(forecast_running(at(0s), at(400ms), 100'000, 2'000'000));
    CHECK_FALSE(forecast_running(at(0s), at(2s), 0, 2'000'000));
    CHECK_FALSE(forecast_running(at(0s), at(2s), 100'000, 0));
    CHECK(forecast_running(at(0s), at(1s), 500'000, 2'000'000) == at(4s));
    CHECK(forecast_running(at(0s), at(1s), 9'000'000, 2'000'000) == at(1s));
    CHECK(forecast_running(at(0s), at(1h), 1, INT64_MAX).has_value());
    CHECK(work_time(2s, 0) == 2s);
    CHECK(work_time(2s, 4000) == 500ms);
    Speed speed;
    CHECK(speed.permille() == 0);
    speed.add(2s, 500ms);
    CHECK(speed.permille() == 4000);
    for (int i = 0; i < 1000; ++i)
        speed.add(2s, 2s);
    CHECK(speed.permille() < 1200);
    speed.add(-1s, -1s);
    CHECK(speed.permille() > 0);
}

TEST_CASE("two crashes make poison for ten minutes, within bounds", "[orchestrator][poison]") {
    PoisonList list;
    CHECK_FALSE(list.crashed(sha("x"), at(0s)));
    CHECK_FALSE(list.poisoned(sha("x"), at(1s)));
    CHECK(list.crashed(sha("x"), at(2s)));
    CHECK(list.poisoned(sha("x"), at(3s)));
    CHECK_FALSE(list.poisoned(sha("y"), at(3s)));
    CHECK_FALSE(list.poisoned(sha("x"), at(2s + 10min)));
    CHECK_FALSE(list.crashed(sha("x"), at(3s + 10min)));  // counted anew
    for (int i = 0; i < 3000; ++i)
        list.crashed(sha(std::to_string(i)), at(20min));
    CHECK(list.size() <= kPoisonKnownMax);
}

TEST_CASE("a report must be a possible result of its ladder", "[orchestrator][result]") {
    const Ladder ladder = small_ladder();
    CHECK_FALSE(wrong_with(report(ladder), ladder, false));
    const auto wrong = [&](auto&& spoil) {
        TranscodeReport r = report(ladder);
        spoil(r);
        return wrong_with(r, ladder, false).has_value();
    };
    CHECK(wrong([](TranscodeReport& r) { r.renditions.pop_back(); }));
    CHECK(wrong([](TranscodeReport& r) { r.renditions.push_back(r.renditions.back()); }));
    CHECK(wrong([](TranscodeReport& r) { std::swap(r.renditions[0], r.renditions[1]); }));
    CHECK(wrong([](TranscodeReport& r) { r.renditions[1].index = 7; }));
    CHECK(wrong([](TranscodeReport& r) { r.renditions[0].name = "other"; }));
    CHECK(wrong([](TranscodeReport& r) { r.renditions[0].size.height += 2; }));
    CHECK(wrong([](TranscodeReport& r) { r.renditions[0].pixels += 1; }));
    CHECK(wrong(
        [](TranscodeReport& r) { r.renditions[0].frames = -60, r.renditions[0].pixels *= -1; }));
    CHECK(wrong([](TranscodeReport& r) { r.renditions[0].bytes = 0; }));
    CHECK(wrong([](TranscodeReport& r) { r.renditions[0].container = Container::mp4; }));
    CHECK(wrong([](TranscodeReport& r) { r.source.size = {0, 0}; }));
    CHECK(wrong([](TranscodeReport& r) { r.source.size = {-4, 2'000'000'000}; }));
    CHECK(wrong([](TranscodeReport& r) { r.source.frames = -1; }));
    CHECK(wrong([](TranscodeReport& r) {
        r.skipped.push_back({1, r.renditions[1].name, "larger than the source"});
        r.renditions.pop_back();
    }));
}

TEST_CASE("renditions larger than the source fall away, and only those", "[orchestrator][result]") {
    const Ladder ladder = small_ladder();
    TranscodeReport r = report({ladder[0]});
    r.source.size = {480, 270};
    r.renditions[0].size = fit(ladder[0], r.source.size);
    r.renditions[0].pixels = r.renditions[0].frames * r.renditions[0].size.pixels();
    r.skipped.push_back({1, ladder[1].name, "larger than the source"});
    CHECK_FALSE(wrong_with(r, ladder, false));
    r.source.size = {1280, 720};
    r.renditions[0].size = fit(ladder[0], r.source.size);
    r.renditions[0].pixels = r.renditions[0].frames * r.renditions[0].size.pixels();
    CHECK(wrong_with(r, ladder, false));
}

TEST_CASE("a copy of the source is taken where it was allowed, and is not paid",
          "[orchestrator][result]") {
    Ladder ladder = small_ladder();
    TranscodeReport r = report(ladder);
    r.renditions[0].copied = true;
    CHECK(wrong_with(r, ladder, false));
    ladder[0].bypass = Bypass::if_fits;
    CHECK(wrong_with(r, ladder, false));
    r.renditions[0].pixels = 0;
    CHECK_FALSE(wrong_with(r, ladder, false));
    r.renditions[0].copied = false;
    CHECK(wrong_with(r, ladder, false));
}

TEST_CASE("a source without video is a result only where that is allowed",
          "[orchestrator][result]") {
    const Ladder ladder = small_ladder();
    TranscodeReport r = report(ladder);
    r.source.video = VideoCodec::none;
    r.source.size = {};
    for (RenditionReport& rendition : r.renditions) {
        rendition.size = {};
        rendition.frames = rendition.pixels = 0;
    }
    CHECK(wrong_with(r, ladder, false));
    CHECK_FALSE(wrong_with(r, ladder, true));
}

TEST_CASE("what arrived is compared with what was reported", "[orchestrator][result]") {
    const TranscodeReport r = report(small_ladder());
    std::map<std::uint32_t, Received> received;
    CHECK(arrival(r, received) == Arrival::missing);
    received[0] = {100, {}};
    received[1] = {101, {}};
    CHECK(arrival(r, received) == Arrival::complete);
    received[1].bytes = 102;
    CHECK(arrival(r, received) == Arrival::different);
    received.erase(0);
    CHECK(arrival(r, received) == Arrival::different);  // seen before all is here
}

TEST_CASE("timers come out by time, then key, and can be moved", "[orchestrator][timers]") {
    TimerSet<int> timers;
    timers.set(2, at(1s));
    timers.set(1, at(1s));
    timers.set(3, at(5s));
    timers.set(3, at(500ms));
    timers.set(4, at(9s));
    timers.cancel(4);
    CHECK(timers.next() == at(500ms));
    CHECK_FALSE(timers.take_due(at(499ms)));
    CHECK(timers.take_due(at(1s)) == 3);
    CHECK(timers.take_due(at(1s)) == 1);
    CHECK(timers.take_due(at(1s)) == 2);
    CHECK_FALSE(timers.next());
}
