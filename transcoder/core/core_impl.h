#pragma once
// What stands behind TranscoderCore: one LinkPolicy per orchestrator, the Work, and what follows
// from a change of one for the others (settle).
//
// Thread: transcoder loop. Owner: TranscoderCore.

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "transcoder/core/link_policy.h"
#include "transcoder/core/transcoder_core.h"
#include "transcoder/core/work.h"

namespace millrace::transcoder {

class TranscoderCore::Impl final : public LinkView, public Outbox {
public:
    explicit Impl(CoreConfig config);

    void start(TimePoint now);
    void lane_event(OrchestratorIndex which, LaneEvent event, TimePoint now);
    void on_message(OrchestratorIndex which, const FromOrchestrator& message, TimePoint now);
    void on_payload(OrchestratorIndex which, const PayloadEnvelope& message, TimePoint now);
    void drain(TimePoint now);
    void set_slots(std::uint32_t slots, TimePoint now);
    void advance_to(TimePoint now);
    [[nodiscard]] std::optional<TimePoint> next_deadline() const;
    [[nodiscard]] CoreStatus status() const;
    [[nodiscard]] std::vector<Place> places() const { return work_.slots().seated(); }
    [[nodiscard]] bool any_joined() const;
    void check_invariants() const;

    // Runs `step` on the work, then whatever follows from it for the links. After Exit: nothing.
    template <class Step>
    void work(TimePoint now, Step step) {
        if (exited_)
            return;
        step(work_);
        settle(now);
    }

    Effects effects;
    std::vector<GpuReading> gpus_told;
    [[nodiscard]] bool draining() const { return draining_; }

private:
    // LinkView
    [[nodiscard]] std::vector<HeldTask> held_tasks(OrchestratorIndex which) const override;
    [[nodiscard]] Heartbeat heartbeat_for(OrchestratorIndex which) const override;
    [[nodiscard]] std::uint32_t slots() const override { return work_.slots().size(); }
    // Outbox
    void tell(OrchestratorIndex to, ToOrchestrator message) override {
        link(to).send(std::move(message), effects);
    }
    void effect(Effect effect) override { effects.push_back(std::move(effect)); }

    [[nodiscard]] LinkPolicy& link(OrchestratorIndex which) { return *links_.at(which.value); }
    [[nodiscard]] bool known(OrchestratorIndex which) const { return which.value < links_.size(); }
    [[nodiscard]] bool leaving(OrchestratorIndex which) const {
        return draining_ || leaving_.contains(which);
    }
    void obey(OrchestratorIndex which, const LinkVerdict& verdict, TimePoint now);
    void handle(OrchestratorIndex which, const ToTranscoder& message, TimePoint now);
    void asked_to_leave(OrchestratorIndex which, const DrainRequest& request, TimePoint now);
    void settle(TimePoint now);
    void announce_changes(TimePoint now);
    void finish_leaving(TimePoint now);
    void finish_drain(TimePoint now);
    void leave_at_once(std::string why, TimePoint now);
    void exit_when_alone();
    void exit(int code, std::string message);

    CoreConfig config_;
    std::vector<std::unique_ptr<LinkPolicy>> links_;
    Work work_;
    std::set<OrchestratorIndex> leaving_;                // their operator sent us away
    std::pair<std::uint32_t, std::uint32_t> announced_;  // slots, free slots
    TimePoint alone_since_;                              // no orchestrator is joined
    bool alone_ = true;
    bool draining_ = false;
    TimePoint drain_until_;
    bool exited_ = false;
};

}  // namespace millrace::transcoder
