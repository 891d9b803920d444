#pragma once
// MetricsView: the core's notes and snapshots in the names of contract.md, section 6.
//
// Counters are fed as things happen; gauges are set from a snapshot when somebody scrapes, so that they
// cannot drift from the truth.
//
// Thread: orchestrator loop. Owner: main.

#include <memory>
#include <string>

#include "orchestrator/core/effects.h"
#include "orchestrator/core/orchestrator_core.h"
#include "orchestrator/front/answered_segment.h"
#include "orchestrator/stake/stake_view.h"

namespace millrace::orchestrator {

namespace store {
class Store;
}
struct LinkCounters;

class MetricsView {
public:
    // livepeer: also in go-livepeer's names (livepeer_view.h).
    MetricsView(const std::string& version, std::uint64_t payload_budget, bool livepeer);
    ~MetricsView();

    void noted(const Noted& note);
    void uploaded(Duration took);  // first bytes of a body until its last
    void delivered(const AnsweredSegment& segment);
    void session_ended(EndReason reason);
    void store_committed(Duration took);
    void transcoder_changed(const TranscoderChanged& change);
    void join_refused(JoinRefusal reason);

    // The whole page, with gauges as of `status`.
    [[nodiscard]] std::string exposition(const CoreStatus& status, const store::Store& store,
                                         const LinkCounters& link, const stake::StakeView& stake);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::orchestrator
