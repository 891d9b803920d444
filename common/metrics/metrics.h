#pragma once
// Metrics: what a process counts, in the names of contract.md section 6, as Prometheus text.
//
// A metric is defined once, in names.h, with its help, its labels and the values those may take; all
// series of closed sets exist at zero from the start. Values of open labels (names that operators
// give: transcoder, orchestrator, version) come with their first use, are bounded per family
// (kOpenValuesMax; the rest is counted under "other") and go with forget(). Never a broadcaster's text.
//
//     metrics.add(orchestrator_metrics::segments_total, {"ok"});
//     metrics.set(orchestrator_metrics::transcoder_load, {"w1"}, 3);
//
// A metric that is not in this object's table, a wrong number of labels or a value outside a closed
// set is a bug of ours (MR_CHECK).
//
// Thread: any. Owner: main. prometheus-cpp stays inside metrics.cpp.

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::metrics {

inline constexpr std::size_t kOpenValuesMax = 200;  // per family
inline constexpr std::size_t kLabelsMax = 2;        // per metric

struct Label {
    std::string name;
    std::vector<std::string> values;  // closed set; empty = open
};

struct Definition {
    std::string name;  // without the program's prefix
    std::string help;
    std::vector<Label> labels = {};
};
// One type per kind, so that a counter cannot be set and a gauge cannot be observed.
struct CounterDef : Definition {};
struct GaugeDef : Definition {};
struct HistogramDef : Definition {
    std::vector<double> buckets = {};  // upper bounds, ascending
};

// What one program exposes.
struct Table {
    std::string prefix;  // "millrace_orchestrator_"
    std::vector<const CounterDef*> counters;
    std::vector<const GaugeDef*> gauges;
    std::vector<const HistogramDef*> histograms;
    bool process = true;  // with process_* on the page; once per page
};

using LabelValues = std::initializer_list<std::string_view>;  // in the definition's order

class Metrics {
public:
    // Sets build_info{version} to 1 where the table has it.
    Metrics(const Table& table, std::string_view version);
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    void add(const CounterDef& counter, LabelValues labels = {}, double amount = 1);
    // For totals that somebody else counts: raises the counter to `total`, never lowers it.
    void raise_to(const CounterDef& counter, LabelValues labels, double total);
    void set(const GaugeDef& gauge, LabelValues labels, double value);
    void set(const GaugeDef& gauge, double value) { set(gauge, {}, value); }
    void observe(const HistogramDef& histogram, LabelValues labels, double value);
    void observe(const HistogramDef& histogram, double value) { observe(histogram, {}, value); }

    // Removes all series in which the open label `name` has this value (a transcoder has gone).
    void forget(std::string_view name, std::string_view value);

    // The page, with process_* as of now where the table wants it. Text format 0.0.4.
    [[nodiscard]] std::string exposition() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

inline constexpr std::string_view kExpositionType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace millrace::metrics
