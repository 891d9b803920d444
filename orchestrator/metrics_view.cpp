#include "orchestrator/metrics_view.h"

#include <limits>
#include <map>
#include <optional>
#include <set>

#include "common/metrics/metrics.h"
#include "common/metrics/names.h"
#include "orchestrator/link/transcoder_link.h"
#include "orchestrator/livepeer_view.h"
#include "orchestrator/store/store.h"

namespace millrace::orchestrator {
namespace {

namespace names = metrics::orchestrator_metrics;
using What = Noted::What;
using Counter = metrics::CounterDef;

// One note, one series; what a note does not name is not counted by name.
struct Series {
    const Counter* counter;
    const char* label;  // null = the counter has none
};

const std::map<What, Series>& series_of_notes() {
    static const std::map<What, Series> table{
        {What::session_opened, {&names::sessions_opened_total, nullptr}},
        {What::session_shed, {&names::sessions_shed_total, nullptr}},
        {What::segment_ok, {&names::segments_total, "ok"}},
        {What::segment_bad_input, {&names::segments_total, "bad_input"}},
        {What::segment_failed, {&names::segments_total, "failed"}},
        {What::segment_refused, {&names::segments_total, "refused"}},
        {What::segment_cancelled, {&names::segments_total, "cancelled"}},
        {What::attempt_ok, {&names::attempts_total, "ok"}},
        {What::attempt_failed, {&names::attempts_total, "failed"}},
        {What::attempt_stalled, {&names::attempts_total, "stalled"}},
        {What::attempt_lost, {&names::attempts_total, "lost"}},
        {What::attempt_refused, {&names::attempts_total, "refused"}},
        {What::attempt_superseded, {&names::attempts_total, "superseded"}},
        {What::attempt_late, {&names::attempts_total, "late"}},
        {What::bad_result, {&names::attempts_total, "bad_result"}},
        {What::hedge_won, {&names::hedges_total, "won"}},
        {What::hedge_lost, {&names::hedges_total, "lost"}},
        {What::stale_epoch, {&names::stale_results_total, "epoch"}},
        {What::stale_incarnation, {&names::stale_results_total, "incarnation"}},
        {What::stale_attempt, {&names::stale_results_total, "attempt"}},
        {What::stale_duplicate, {&names::stale_results_total, "duplicate"}},
    };
    return table;
}

// The core's reasons are a superset of the label's values.
const char* retry_label(const std::string& reason) {
    static const std::set<std::string> known{"stalled", "lost",       "refused",
                                             "late",    "bad_result", "headers"};
    const auto found = known.find(reason);
    return found == known.end() ? "failed" : found->c_str();
}

bool ended_badly(What what) {
    return what == What::attempt_failed || what == What::attempt_stalled ||
           what == What::attempt_lost || what == What::bad_result;
}

double or_infinity(const std::optional<std::uint32_t>& limit) {
    return limit ? *limit : std::numeric_limits<double>::infinity();
}

}  // namespace

class MetricsView::Impl {
public:
    Impl(const std::string& version, std::uint64_t payload_budget, bool livepeer)
        : metrics_(metrics::orchestrator_table(), version) {
        if (livepeer)
            livepeer_.emplace(version);
        metrics_.set(names::payload_budget_bytes, static_cast<double>(payload_budget));
    }

    void noted(const Noted& note) {
        if (const auto found = series_of_notes().find(note.what);
            found != series_of_notes().end()) {
            if (found->second.label != nullptr)
                metrics_.add(*found->second.counter, {found->second.label});
            else
                metrics_.add(*found->second.counter);
        } else if (note.what == What::session_refused) {
            metrics_.add(names::sessions_refused_total, {name(note.code)});
        } else if (note.what == What::retry) {
            metrics_.add(names::retries_total, {retry_label(note.reason)});
        }
        if (ended_badly(note.what) && !note.transcoder.empty())
            metrics_.add(names::transcoder_segments_total, {note.transcoder, "failed"});
        if (livepeer_)
            livepeer_->noted(note);
    }

    void uploaded(Duration took) {
        metrics_.observe(names::segment_seconds, {"upload"}, to_seconds(took));
    }

    void delivered(const AnsweredSegment& segment) {
        const StageTimes& times = segment.report.times;
        const auto stage = [this](const char* label, double seconds) {
            metrics_.observe(names::segment_seconds, {label}, seconds);
        };
        stage("queue", to_seconds(segment.queued));
        stage("send",
              static_cast<double>(times.receive_us) * 1e-6);  // ours to send is theirs to receive
        stage("transcode", static_cast<double>(times.total_us) * 1e-6);
        stage("receive", static_cast<double>(times.send_us) * 1e-6);
        stage("total", to_seconds(segment.total));
        if (times.total_us > 0)
            metrics_.observe(names::realtime_ratio,
                             to_seconds(segment.report.source.duration) /
                                 (static_cast<double>(times.total_us) * 1e-6));
        std::int64_t encoded = 0;
        for (const RenditionReport& rendition : segment.report.renditions)
            encoded += rendition.pixels;
        metrics_.add(names::pixels_total, {"decoded"},
                     static_cast<double>(segment.report.source.pixels));
        metrics_.add(names::pixels_total, {"encoded"}, static_cast<double>(encoded));
        metrics_.add(names::transcoder_pixels_total, {segment.transcoder},
                     static_cast<double>(encoded));
        metrics_.add(names::transcoder_segments_total, {segment.transcoder, "ok"});
        if (livepeer_)
            livepeer_->delivered(segment);
    }

    void session_ended(EndReason reason) {
        metrics_.add(names::sessions_ended_total, {to_string(reason)});
    }

    void store_committed(Duration took) {
        metrics_.observe(names::store_commit_seconds, to_seconds(took));
    }

    void transcoder_changed(const TranscoderChanged& change) {
        if (change.state == "left")
            metrics_.forget("transcoder", change.name);
    }

    void join_refused(JoinRefusal reason) {
        metrics_.add(names::joins_refused_total, {to_string(reason)});
    }

    std::string exposition(const CoreStatus& status, const store::Store& store,
                           const LinkCounters& link, const stake::StakeView& stake) {
        metrics_.set(names::stake_tokens, stake.tokens ? stake.tokens->approximate() : 0);
        metrics_.set(names::stake_active, stake.active ? 1 : 0);
        metrics_.set(names::stake_age_seconds, to_seconds(stake.age));
        const CapacityStatus& capacity = status.capacity;
        metrics_.set(names::sessions_active, capacity.sessions_active);
        metrics_.set(names::sessions_limit, {"operator"}, or_infinity(capacity.limit_operator));
        metrics_.set(names::sessions_limit, {"transcoders"}, capacity.limit_transcoders);
        metrics_.set(names::sessions_limit, {"stake"}, or_infinity(capacity.limit_stake));
        metrics_.set(names::payload_buffered_bytes, static_cast<double>(status.payload_bytes));
        metrics_.set(names::data_dir_free_bytes, static_cast<double>(store.free_bytes()));
        metrics_.raise_to(names::store_errors_total, {}, static_cast<double>(store.errors()));
        ledger(store.ledger());
        metrics_.raise_to(names::payload_bytes_total, {"to_transcoder"},
                          static_cast<double>(link.bytes_sent));
        metrics_.raise_to(names::payload_bytes_total, {"to_orchestrator"},
                          static_cast<double>(link.bytes_received));
        // Turned away at the door: they never got to say why they came.
        metrics_.add(names::joins_refused_total, {to_string(JoinRefusal::refused)},
                     static_cast<double>(link.refused - door_refused_));
        door_refused_ = link.refused;
        transcoder_gauges(status);
        return metrics_.exposition() + (livepeer_ ? livepeer_->exposition(status) : "");
    }

private:
    void ledger(const store::LedgerView& ledger) {
        const store::LedgerTotals& t = ledger.booked;
        const auto raise = [this](const metrics::CounterDef& counter, std::string_view kind,
                                  std::int64_t value) {
            metrics_.raise_to(counter, {kind}, static_cast<double>(value));
        };
        metrics_.set(names::ledger_rows, static_cast<double>(ledger.head.rows));
        metrics_.raise_to(names::ledger_seconds_total, {},
                          static_cast<double>(t.duration_us) / 1e6);
        raise(names::ledger_frames_total, "decoded", t.decoded_frames);
        raise(names::ledger_frames_total, "encoded", t.encoded_frames);
        raise(names::ledger_pixels_total, "decoded", t.decoded_pixels);
        raise(names::ledger_pixels_total, "encoded", t.encoded_pixels);
        raise(names::ledger_bytes_total, "source", t.source_bytes);
        raise(names::ledger_bytes_total, "encoded", t.encoded_bytes);
    }

    void transcoder_gauges(const CoreStatus& status) {
        std::map<std::string, int> states{
            {"ready", 0}, {"draining", 0}, {"cordoned", 0}, {"quarantined", 0}, {"lost", 0}};
        for (const TranscoderStatus& transcoder : status.transcoders) {
            ++states[transcoder.state];
            metrics_.set(names::transcoder_up, {transcoder.name},
                         transcoder.state == "lost" ? 0 : 1);
            metrics_.set(names::transcoder_capacity, {transcoder.name}, transcoder.capacity);
            metrics_.set(names::transcoder_load, {transcoder.name}, transcoder.load);
        }
        for (const auto& [state, count] : states)
            metrics_.set(names::transcoders, {state}, count);
    }

    metrics::Metrics metrics_;
    std::optional<LivepeerView> livepeer_;
    std::uint64_t door_refused_ = 0;  // counted so far
};

MetricsView::MetricsView(const std::string& version, std::uint64_t payload_budget, bool livepeer)
    : impl_(std::make_unique<Impl>(version, payload_budget, livepeer)) {}
MetricsView::~MetricsView() = default;

void MetricsView::noted(const Noted& note) {
    impl_->noted(note);
}
void MetricsView::uploaded(Duration took) {
    impl_->uploaded(took);
}
void MetricsView::delivered(const AnsweredSegment& segment) {
    impl_->delivered(segment);
}
void MetricsView::session_ended(EndReason reason) {
    impl_->session_ended(reason);
}
void MetricsView::store_committed(Duration took) {
    impl_->store_committed(took);
}
void MetricsView::transcoder_changed(const TranscoderChanged& change) {
    impl_->transcoder_changed(change);
}
void MetricsView::join_refused(JoinRefusal reason) {
    impl_->join_refused(reason);
}
std::string MetricsView::exposition(const CoreStatus& status, const store::Store& store,
                                    const LinkCounters& link, const stake::StakeView& stake) {
    return impl_->exposition(status, store, link, stake);
}

}  // namespace millrace::orchestrator
