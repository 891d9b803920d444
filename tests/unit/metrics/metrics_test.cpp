#include "common/metrics/metrics.h"

#include <algorithm>
#include <limits>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "common/domain/api_code.h"
#include "common/metrics/names.h"
#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::metrics;
using Catch::Contains;
namespace om = orchestrator_metrics;
namespace xm = transcoder_metrics;

namespace {

std::size_t series_in(const std::string& page) {
    std::istringstream lines(page);
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line);)
        count += !line.empty() && line.front() != '#';
    return count;
}

std::vector<const Definition*> definitions(const Table& table) {
    std::vector<const Definition*> all(table.counters.begin(), table.counters.end());
    all.insert(all.end(), table.gauges.begin(), table.gauges.end());
    all.insert(all.end(), table.histograms.begin(), table.histograms.end());
    return all;
}

}  // namespace

TEST_CASE("every series of a closed set is there at zero from the start", "[metrics]") {
    const Metrics metrics(orchestrator_table(), "1.2.3");
    const std::string page = metrics.exposition();
    for (const char* line : {"millrace_orchestrator_sessions_active 0\n",
                             "millrace_orchestrator_segments_total{outcome=\"ok\"} 0\n",
                             "millrace_orchestrator_segments_total{outcome=\"cancelled\"} 0\n",
                             "millrace_orchestrator_sessions_limit{limit=\"stake\"} 0\n",
                             "millrace_orchestrator_joins_refused_total{reason=\"expired\"} 0\n",
                             "millrace_orchestrator_segment_seconds_count{stage=\"total\"} 0\n",
                             "millrace_orchestrator_store_commit_seconds_bucket{le=\"+Inf\"} 0\n",
                             "millrace_orchestrator_build_info{version=\"1.2.3\"} 1\n"})
        CHECK_THAT(page, Contains(line));
    for (int i = 0; i < kApiCodeCount; ++i)
        CHECK_THAT(page, Contains("sessions_refused_total{code=\"" +
                                  std::string(name(static_cast<ApiCode>(i))) + "\"} 0\n"));
    CHECK_THAT(page, !Contains("transcoder_up{"));
}

TEST_CASE("counting, setting and observing show on the page", "[metrics]") {
    Metrics metrics(orchestrator_table(), "1");
    metrics.add(om::segments_total, {"ok"});
    metrics.add(om::segments_total, {"ok"}, 2);
    metrics.set(om::sessions_limit, {"operator"}, std::numeric_limits<double>::infinity());
    metrics.set(om::sessions_active, 4);
    metrics.observe(om::segment_seconds, {"queue"}, 0.3);
    metrics.observe(om::realtime_ratio, 2.5);
    metrics.raise_to(om::store_errors_total, {}, 5);
    metrics.raise_to(om::store_errors_total, {}, 3);
    const std::string page = metrics.exposition();
    for (const char* line :
         {"segments_total{outcome=\"ok\"} 3\n", "sessions_limit{limit=\"operator\"} +Inf\n",
          "sessions_active 4\n", "segment_seconds_bucket{stage=\"queue\",le=\"0.25\"} 0\n",
          "segment_seconds_bucket{stage=\"queue\",le=\"0.5\"} 1\n", "realtime_ratio_sum 2.5\n",
          "store_errors_total 5\n"})
        CHECK_THAT(page, Contains(line));
}

TEST_CASE("a transcoder's series come with it and go with it", "[metrics]") {
    Metrics metrics(orchestrator_table(), "1");
    const std::size_t before = series_in(metrics.exposition());
    metrics.set(om::transcoder_up, {"w1"}, 1);
    metrics.set(om::transcoder_up, {"w2"}, 1);
    metrics.add(om::transcoder_segments_total, {"w1", "ok"});
    CHECK_THAT(metrics.exposition(),
               Contains("transcoder_segments_total{outcome=\"ok\",transcoder=\"w1\"} 1\n"));
    metrics.forget("transcoder", "w1");
    CHECK_THAT(metrics.exposition(),
               !Contains("\"w1\"") && Contains("transcoder_up{transcoder=\"w2\"} 1\n"));
    metrics.forget("transcoder", "w2");
    metrics.forget("transcoder", "never seen");
    CHECK(series_in(metrics.exposition()) == before);
    metrics.add(om::transcoder_segments_total, {"w1", "ok"});
    CHECK_THAT(metrics.exposition(),
               Contains("transcoder_segments_total{outcome=\"ok\",transcoder=\"w1\"} 1\n"));
}

TEST_CASE("however many transcoders come, the page stays below 2,000 series", "[metrics]") {
    Metrics metrics(orchestrator_table(), "1");
    for (int i = 0; i < 1000; ++i) {
        const std::string name = "w" + std::to_string(i);
        metrics.set(om::transcoder_up, {name}, 1);
        metrics.set(om::transcoder_capacity, {name}, 8);
        metrics.set(om::transcoder_load, {name}, 2);
        metrics.add(om::transcoder_pixels_total, {name}, 100);
        for (const char* outcome : {"ok", "failed"})
            metrics.add(om::transcoder_segments_total, {name, outcome});
    }
    const std::string page = metrics.exposition();
    CHECK(series_in(page) < 2000);
    CHECK_THAT(page, Contains("transcoder_pixels_total{transcoder=\"other\"} 80000\n"));
}

TEST_CASE("names follow Prometheus' rules and stand once", "[metrics]") {
    for (const Table* table : {&orchestrator_table(), &transcoder_table()}) {
        std::set<std::string> names;
        for (const Definition* definition : definitions(*table)) {
            INFO(definition->name);
            CHECK(names.insert(definition->name).second);
            CHECK(std::regex_match(definition->name, std::regex("[a-z][a-z_]*[a-z]")));
            CHECK_FALSE(definition->help.empty());
            CHECK(definition->labels.size() <= kLabelsMax);
        }
        for (const CounterDef* counter : table->counters)
            CHECK_THAT(counter->name, Catch::EndsWith("_total"));
        for (const GaugeDef* gauge : table->gauges)
            CHECK_THAT(gauge->name, !Catch::EndsWith("_total"));
        for (const HistogramDef* histogram : table->histograms)
            CHECK(std::is_sorted(histogram->buckets.begin(), histogram->buckets.end()));
    }
}

TEST_CASE("every line of the page is a comment or a sample", "[metrics]") {
    Metrics metrics(transcoder_table(), "1");
    metrics.set(xm::link_up, {"evil \"quoted\"\nname\\"}, 1);
    std::istringstream lines(metrics.exposition());
    const std::regex sample(
        R"([a-z_]+(\{[a-z]+="([^"\\\n]|\\.)*"(,[a-z]+="([^"\\\n]|\\.)*")*\})? [-+0-9.eInfa]+)");
    for (std::string line; std::getline(lines, line);) {
        INFO(line);
        CHECK((line.rfind("# HELP ", 0) == 0 || line.rfind("# TYPE ", 0) == 0 ||
               std::regex_match(line, sample)));
    }
}

TEST_CASE("process metrics tell of this process", "[metrics]") {
    const std::string page = Metrics(transcoder_table(), "1").exposition();
    for (const char* name : {"process_cpu_seconds_total", "process_resident_memory_bytes",
                             "process_virtual_memory_bytes", "process_open_fds", "process_max_fds",
                             "process_threads", "process_start_time_seconds"}) {
        const std::size_t at = page.find("\n" + std::string(name) + " ");
        REQUIRE(at != std::string::npos);
        const double value = std::stod(page.substr(at + 2 + std::string(name).size()));
        CHECK(value >= (std::string(name) == "process_cpu_seconds_total" ? 0.0 : 1.0));
    }
}

TEST_CASE("several threads may count while another reads", "[metrics]") {
    Metrics metrics(orchestrator_table(), "1");
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 3; ++t)
            threads.emplace_back([&, t] {
                for (int i = 0; i < 500; ++i) {
                    metrics.add(om::segments_total, {"ok"});
                    metrics.set(om::transcoder_load, {"w" + std::to_string(t)}, i);
                    metrics.forget("transcoder", "w" + std::to_string(t));
                }
            });
        for (int i = 0; i < 20; ++i)
            CHECK_FALSE(metrics.exposition().empty());
    }
    CHECK_THAT(metrics.exposition(), Contains("segments_total{outcome=\"ok\"} 1500\n"));
}

TEST_CASE("go-livepeer's names stand beside ours on one page, each once", "[metrics]") {
    const Metrics ours(orchestrator_table(), "1");
    const Metrics theirs(livepeer_table(), "1");
    const std::string page = ours.exposition() + theirs.exposition();
    for (const char* line : {"livepeer_max_sessions_total{node_type=\"orch\"} 0\n",
                             "livepeer_current_sessions_total{node_type=\"orch\"} 0\n",
                             "livepeer_transcode_score_bucket{node_type=\"orch\",le=\"0.5\"} 0\n",
                             "livepeer_mil_pixels_processed{node_type=\"orch\"} 0\n"})
        CHECK_THAT(page, Contains(line));
    const std::string once = "# TYPE process_resident_memory_bytes";
    CHECK(page.find(once) == page.rfind(once));
    CHECK(page.find(once) != std::string::npos);
}
