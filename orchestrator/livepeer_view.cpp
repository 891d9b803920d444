#include "orchestrator/livepeer_view.h"

#include <limits>

#include "common/metrics/names.h"

namespace millrace::orchestrator {
namespace {

namespace names = metrics::livepeer_metrics;
constexpr std::string_view kNode = "orch";

}  // namespace

LivepeerView::LivepeerView(const std::string& version)
    : metrics_(metrics::livepeer_table(), version) {
    metrics_.set(names::versions, {kNode, "millrace-" + version}, 1);
}

void LivepeerView::delivered(const AnsweredSegment& segment) {
    const double worked = static_cast<double>(segment.report.times.total_us) * 1e-6;
    const double duration = to_seconds(segment.report.source.duration);
    metrics_.add(names::segment_transcoded_total, {kNode});
    metrics_.observe(names::source_segment_duration_seconds, {kNode}, duration);
    metrics_.observe(names::transcode_time_seconds, {kNode}, worked);
    if (worked > 0)
        metrics_.observe(names::transcode_score, {kNode}, duration / worked);
    std::int64_t encoded = 0;
    for (const RenditionReport& rendition : segment.report.renditions)
        encoded += rendition.pixels;
    metrics_.add(names::mil_pixels_processed, {kNode}, static_cast<double>(encoded) * 1e-6);
}

void LivepeerView::noted(const Noted& note) {
    const auto count = [this](ApiCode code) {
        metrics_.add(names::segment_transcode_failed_total, {kNode, name(code)});
    };
    if (note.what == Noted::What::segment_bad_input)
        count(ApiCode::bad_segment);
    else if (note.what == Noted::What::segment_failed)
        count(note.code);
}

std::string LivepeerView::exposition(const CoreStatus& status) {
    std::uint32_t number = 0;
    std::uint32_t load = 0;
    for (const TranscoderStatus& transcoder : status.transcoders) {
        if (transcoder.state == "lost")
            continue;
        number += 1;
        load += transcoder.load;
    }
    const auto& limit = status.capacity.sessions_max;
    metrics_.set(names::max_sessions_total, {kNode},
                 limit ? *limit : std::numeric_limits<double>::infinity());
    metrics_.set(names::current_sessions_total, {kNode}, status.capacity.sessions_active);
    metrics_.set(names::transcoders_number, {kNode}, number);
    metrics_.set(names::transcoders_capacity, {kNode}, status.capacity.limit_transcoders);
    metrics_.set(names::transcoders_load, {kNode}, load);
    return metrics_.exposition();
}

}  // namespace millrace::orchestrator
