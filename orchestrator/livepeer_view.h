#pragma once
// LivepeerView: the same work in go-livepeer's metric names (--livepeer-metrics), beside ours.
//
// Its gauges are as of the scrape; go-livepeer's own transcoders_load is only set when a transcoder comes or goes.
//
// Thread: orchestrator loop. Owner: MetricsView.

#include <string>

#include "common/metrics/metrics.h"
#include "orchestrator/core/orchestrator_core.h"
#include "orchestrator/front/answered_segment.h"

namespace millrace::orchestrator {

class LivepeerView {
public:
    explicit LivepeerView(const std::string& version);

    void delivered(const AnsweredSegment& segment);
    void noted(const Noted& note);
    [[nodiscard]] std::string exposition(const CoreStatus& status);

private:
    metrics::Metrics metrics_;
};

}  // namespace millrace::orchestrator
