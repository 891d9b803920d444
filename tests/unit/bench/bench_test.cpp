// What a step is judged by, and what people and programs are shown of it.

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "transcoder/bench/clip.h"
#include "transcoder/bench/report.h"

using namespace millrace;
using namespace millrace::bench;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

Step step_of(std::vector<std::vector<Duration>> took, Duration duration = 2s) {
    Step step;
    step.sessions = static_cast<std::uint32_t>(took.size());
    for (const auto& session : took) {
        auto& served = step.served.emplace_back();
        for (const Duration one : session)
            served.push_back({one, duration});
    }
    step.cpu_share = 0.5;
    return step;
}

Finding finding_of(std::uint32_t sessions) {
    Finding finding;
    finding.sessions = sessions;
    finding.lone.duration = 2s;
    finding.lone.cpu = 400ms;
    finding.lone.wall = 300ms;
    finding.lone.times.decode_us = 100'000;
    finding.lone.times.scale_us = 40'000;
    finding.lone.times.encode_us = 260'000;
    finding.lone.memory = 64 << 20;
    finding.lone.cost.decode_pixels = 27'648'000;
    finding.lone.cost.encode_pixels = 9'979'200;
    finding.lone.cost.scale_pixels = 2 * 27'648'000;
    finding.lone.cost.encode_work = 9'979'200;
    finding.steps.push_back(step_of({{1s, 1200ms}, {1s, 1600ms}}));
    return finding;
}

}  // namespace

TEST_CASE("a step holds while every segment is in time and most have room to spare", "[bench]") {
    CHECK(judge(step_of({{1s, 1s}, {1700ms, 1800ms}})).holds);
    const Verdict late = judge(step_of({{1s, 1s}, {1s, 2001ms}}));
    CHECK_FALSE(late.holds);
    CHECK(late.late == 1);
    const Verdict tight = judge(step_of({{1900ms, 1900ms}, {1900ms, 1900ms}}));
    CHECK_FALSE(tight.holds);
    CHECK(tight.late == 0);
    Step busy = step_of({{1s, 1s}});
    busy.cpu_share = 0.95;
    CHECK_FALSE(judge(busy).holds);
    CHECK_FALSE(judge(step_of({{1s}, {}})).holds);  // one that was never served
    CHECK_FALSE(judge(Step{}).holds);
    Step given_up = step_of({{1s}, {1s}});
    given_up.given_up = true;
    CHECK_FALSE(judge(given_up).holds);
}

TEST_CASE("segments are measured by their own duration, sessions by the slowest", "[bench]") {
    Step step = step_of({{1s}, {1s}});
    step.served[1] = {{1500ms, 10s}, {9s, 10s}};
    const Verdict verdict = judge(step);
    CHECK(verdict.holds);
    CHECK(verdict.all.p50 == Approx(0.5));
    CHECK(verdict.worst.p95 == Approx(0.9));
    const auto served = all_served(step_of({{1s, 2s, 3s, 4s, 5s, 6s, 7s, 8s, 9s, 10s}}, 10s));
    CHECK(quantiles(served).p50 == Approx(0.5));
    CHECK(quantiles(served).p99 == Approx(1.0));
    CHECK(quantiles({}).p99 == 0);
}

TEST_CASE("capacity is what the sessions take, and a little for rounding", "[bench]") {
    const Capacity capacity = finding_of(3).capacity();
    const Cost each = finding_of(3).lone.cost;
    CHECK(fits(each, each + each, capacity));
    CHECK_FALSE(fits(each, each + each + each, capacity));
    // 400 ms of 2 s; microseconds for a million pixels are picoseconds for one.
    CHECK(static_cast<double>(cpu_of(each, capacity.cpu)) == Approx(0.2e12).epsilon(0.001));
    CHECK(capacity.cpu.decode == 1808);
    CHECK(capacity.cpu.scale == 362);
    CHECK(capacity.cpu.encode == 13'027);
    CHECK(finding_of(0).capacity().cpu.available == 0);
    CHECK(Finding{}.capacity() == Capacity{});
}

TEST_CASE("prices are those of a full machine", "[bench]") {
    Finding finding = finding_of(2);
    for (auto& session : finding.steps[0].served)
        for (Served& one : session)
            one.cpu = 500ms;                               // 400 alone
    finding.steps.push_back(step_of({{1s}, {1s}, {3s}}));  // what did not hold says nothing
    for (auto& session : finding.steps[1].served)
        session[0].cpu = 900ms;
    CHECK(finding.crowding() == Approx(1.25));
    const Capacity capacity = finding.capacity();
    CHECK(capacity.cpu.decode == 2261);
    CHECK(capacity.cpu.encode == 16'284);
    const Cost& each = finding.lone.cost;
    CHECK(static_cast<double>(cpu_of(each, capacity.cpu)) == Approx(0.25e12).epsilon(0.001));
    CHECK(fits(each, each, capacity));
    CHECK_FALSE(fits(each, each + each, capacity));
    CHECK(finding_of(2).crowding() == 1);  // not told
    CHECK(finding_of(0).crowding() == 1);
}

TEST_CASE("people get a picture, a table and the bound", "[bench]") {
    Finding finding = finding_of(2);
    const std::string line = step_line(finding.steps[0], judge(finding.steps[0]));
    CHECK_THAT(line, Contains("2 sessions") && Contains("████") && Contains("p95 0.80") &&
                         Contains("holds"));
    finding.binding.bound = Bound::memory;
    const std::string text = table(finding);
    CHECK_THAT(text, Contains("2 sessions in real time, bound by memory: an engine takes 64 MiB") &&
                         Contains("decode 25 %") && Contains("p99"));
    CHECK_THAT(table(finding_of(0)), Contains("0 sessions in real time"));
    for (const Bound bound :
         {Bound::cpu, Bound::one_thread, Bound::limit, Bound::gpu_limit, Bound::nvdec, Bound::nvenc,
          Bound::encoder_sessions, Bound::gpu_memory, Bound::gpu_memory_bus, Bound::sm}) {
        finding.binding.bound = bound;
        CHECK_FALSE(bound_sentence(finding).empty());
    }
}

TEST_CASE("programs get JSON", "[bench]") {
    const auto json = nlohmann::json::parse(to_json(finding_of(2)));
    CHECK(json["sessions"] == 2);
    CHECK(json["bound"] == "cpu");
    CHECK(json["capacity"]["encode_ps_per_pixel"] == 13'027);
    CHECK(json["capacity"]["cpu_ps_per_second"] > 400'000'000'000);
    CHECK(json["steps"][0]["holds"] == true);
    CHECK(json["steps"][0]["by_session"].size() == 2);
    CHECK(json["steps"][0]["all"]["p95"] == Approx(0.8));
    CHECK(json["segment"]["cpu_seconds"] == Approx(0.4));
}

TEST_CASE("a clip is made of nothing, and refused when it cannot be read", "[bench]") {
    const auto clip = make_clip({{320, 180}, 300'000, 2, 1});
    REQUIRE(clip);
    REQUIRE(clip->size() == 2);
    for (const PayloadPtr& segment : *clip) {
        CHECK(segment->size() > 10'000);
        CHECK(segment->size() < 120'000);
        CHECK(segment->size() % 188 == 0);
    }
    const auto missing = load_clip({"/nonexistent/clip.ts"}, {});
    REQUIRE_FALSE(missing);
    CHECK(missing.error().kind == ErrorKind::bad_input);
    CHECK_THAT(missing.error().message, Contains("cannot read /nonexistent/clip.ts"));
}
