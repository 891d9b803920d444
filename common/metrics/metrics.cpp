#include "common/metrics/metrics.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "common/base/check.h"
#include "common/metrics/process.h"

namespace millrace::metrics {
namespace {

constexpr std::string_view kOther = "other";  // whoever came after kOpenValuesMax

using Key = std::vector<std::string>;  // label values, in the definition's order

bool is_open(const Label& label) {
    return label.values.empty();
}

bool all_closed(const Definition& definition) {
    return std::none_of(definition.labels.begin(), definition.labels.end(), is_open);
}

// Every combination of the closed values of a definition's labels.
std::vector<Key> combinations(const Definition& definition) {
    std::vector<Key> keys{{}};
    for (const Label& label : definition.labels) {
        std::vector<Key> longer;
        for (const Key& key : keys)
            for (const std::string& value : label.values) {
                longer.push_back(key);
                longer.back().push_back(value);
            }
        keys = std::move(longer);
    }
    return keys;
}

// One family: its series by label values.
template <class Metric>
struct Family {
    const Definition* definition = nullptr;
    prometheus::Family<Metric>* family = nullptr;
    std::vector<double> buckets;
    std::map<Key, Metric*> series;
    std::set<std::string> open_values;

    // The value as it is shown, checked against the label's set.
    std::string shown(const Label& label, std::string_view value) {
        if (!is_open(label)) {
            const bool known =
                std::find(label.values.begin(), label.values.end(), value) != label.values.end();
            MR_CHECK(known,
                     definition->name + "{" + label.name + "} has no value " + std::string(value));
            return std::string(value);
        }
        std::string text(value);
        if (open_values.size() >= kOpenValuesMax && !open_values.contains(text))
            return std::string(kOther);
        open_values.insert(text);
        return text;
    }

    Metric& at(const std::vector<std::string_view>& values) {
        MR_CHECK(values.size() == definition->labels.size(),
                 definition->name + " has other labels");
        Key key;
        for (std::size_t i = 0; i < values.size(); ++i)
            key.push_back(shown(definition->labels[i], values[i]));
        return at_key(std::move(key));
    }

    Metric& at_key(Key key) {
        if (const auto found = series.find(key); found != series.end())
            return *found->second;
        prometheus::Labels labels;
        for (std::size_t i = 0; i < key.size(); ++i)
            labels.emplace(definition->labels[i].name, key[i]);
        Metric* made = nullptr;
        if constexpr (std::is_same_v<Metric, prometheus::Histogram>)
            made = &family->Add(labels, prometheus::Histogram::BucketBoundaries(buckets));
        else
            made = &family->Add(labels);
        series.emplace(std::move(key), made);
        return *made;
    }

    void forget(std::string_view label, std::string_view value) {
        for (std::size_t i = 0; i < definition->labels.size(); ++i) {
            if (definition->labels[i].name != label || !is_open(definition->labels[i]))
                continue;
            open_values.erase(std::string(value));
            std::erase_if(series, [&](const auto& entry) {
                if (entry.first[i] != value)
                    return false;
                family->Remove(entry.second);
                return true;
            });
        }
    }
};

template <class Metric>
using Families = std::map<const Definition*, Family<Metric>>;

template <class Metric>
Family<Metric>& find(Families<Metric>& families, const Definition& definition) {
    const auto found = families.find(&definition);
    MR_CHECK(found != families.end(), definition.name + " is not in the table of this program");
    return found->second;
}

}  // namespace

struct Metrics::Impl {
    mutable std::mutex mutex;
    bool process = true;
    prometheus::Registry registry;
    Families<prometheus::Counter> counters;
    Families<prometheus::Gauge> gauges;
    Families<prometheus::Histogram> histograms;

    template <class Metric, class Build>
    Family<Metric>& add(Families<Metric>& families, const Definition& definition,
                        const std::string& prefix, Build build, std::vector<double> buckets = {}) {
        Family<Metric>& family = families[&definition];
        family.definition = &definition;
        family.buckets = std::move(buckets);
        family.family =
            &build().Name(prefix + definition.name).Help(definition.help).Register(registry);
        if (all_closed(definition))
            for (Key& key : combinations(definition))
                family.at_key(std::move(key));
        return family;
    }
};

Metrics::Metrics(const Table& table, std::string_view version) : impl_(std::make_unique<Impl>()) {
    impl_->process = table.process;
    for (const CounterDef* counter : table.counters)
        impl_->add(impl_->counters, *counter, table.prefix, prometheus::BuildCounter);
    for (const GaugeDef* gauge : table.gauges) {
        auto& family = impl_->add(impl_->gauges, *gauge, table.prefix, prometheus::BuildGauge);
        if (gauge->name == "build_info")
            family.at({version}).Set(1);
    }
    for (const HistogramDef* histogram : table.histograms)
        impl_->add(impl_->histograms, *histogram, table.prefix, prometheus::BuildHistogram,
                   histogram->buckets);
}

Metrics::~Metrics() = default;

void Metrics::add(const CounterDef& counter, LabelValues labels, double amount) {
    const std::lock_guard lock(impl_->mutex);
    find(impl_->counters, counter).at(labels).Increment(amount);
}

void Metrics::raise_to(const CounterDef& counter, LabelValues labels, double total) {
    const std::lock_guard lock(impl_->mutex);
    auto& series = find(impl_->counters, counter).at(labels);
    if (total > series.Value())
        series.Increment(total - series.Value());
}

void Metrics::set(const GaugeDef& gauge, LabelValues labels, double value) {
    const std::lock_guard lock(impl_->mutex);
    find(impl_->gauges, gauge).at(labels).Set(value);
}

void Metrics::observe(const HistogramDef& histogram, LabelValues labels, double value) {
    const std::lock_guard lock(impl_->mutex);
    find(impl_->histograms, histogram).at(labels).Observe(value);
}

void Metrics::forget(std::string_view name, std::string_view value) {
    const std::lock_guard lock(impl_->mutex);
    for (auto& [definition, family] : impl_->counters)
        family.forget(name, value);
    for (auto& [definition, family] : impl_->gauges)
        family.forget(name, value);
    for (auto& [definition, family] : impl_->histograms)
        family.forget(name, value);
}

std::string Metrics::exposition() const {
    // Collecting is safe beside counting, but not beside forget().
    const std::lock_guard lock(impl_->mutex);
    return prometheus::TextSerializer().Serialize(impl_->registry.Collect()) +
           (impl_->process ? process_exposition() : "");
}

}  // namespace millrace::metrics
