#include "transcoder/core/transcoder_core.h"

#include <utility>

#include "transcoder/core/core_impl.h"

namespace millrace::transcoder {

TranscoderCore::TranscoderCore(CoreConfig config)
    : impl_(std::make_unique<Impl>(std::move(config))) {}
TranscoderCore::~TranscoderCore() = default;

void TranscoderCore::start(TimePoint now) {
    impl_->start(now);
}

void TranscoderCore::tell_gpus(std::vector<GpuReading> gpus) {
    impl_->gpus_told = std::move(gpus);
}
void TranscoderCore::lane_event(OrchestratorIndex orchestrator, LaneEvent event, TimePoint now) {
    impl_->lane_event(orchestrator, event, now);
}

void TranscoderCore::on_message(OrchestratorIndex orchestrator, const FromOrchestrator& message,
                                TimePoint now) {
    impl_->on_message(orchestrator, message, now);
}

void TranscoderCore::on_payload(OrchestratorIndex orchestrator, const PayloadEnvelope& message,
                                TimePoint now) {
    impl_->on_payload(orchestrator, message, now);
}

void TranscoderCore::source_arrived(TaskRef task, TimePoint now) {
    impl_->work(now, [&](Work& work) { work.source_arrived(task, now); });
}

void TranscoderCore::source_received(TaskRef task, TimePoint now) {
    impl_->work(now, [&](Work& work) { work.source_received(task, now); });
}

void TranscoderCore::source_failed(TaskRef task, const Error& problem, TimePoint now) {
    impl_->work(now, [&](Work& work) { work.source_failed(task, problem, now); });
}

void TranscoderCore::renditions_sent(TaskRef task, TimePoint now) {
    impl_->work(now, [&](Work& work) { work.renditions_sent(task, now); });
}

void TranscoderCore::engine_progress(SlotNo slot, TaskRef task, Duration media_done,
                                     Duration media_total, std::int64_t frames, TimePoint now) {
    impl_->work(now, [&](Work& work) {
        work.engine_progress(slot, task, media_done, media_total, frames, now);
    });
}

void TranscoderCore::engine_finished(SlotNo slot, TaskRef task, const TranscodeReport& report,
                                     const SeamContext& seam, TimePoint now) {
    impl_->work(now, [&](Work& work) { work.engine_finished(slot, task, report, seam, now); });
}

void TranscoderCore::engine_failed(SlotNo slot, TaskRef task, const Error& problem, bool crashed,
                                   TimePoint now) {
    impl_->work(now, [&](Work& work) { work.engine_failed(slot, task, problem, crashed, now); });
}

void TranscoderCore::engine_rendition(SlotNo slot, TaskRef task, TimePoint now) {
    impl_->work(now, [&](Work& work) { work.engine_rendition(slot, task); });
}

void TranscoderCore::engine_without_gpu(SlotNo slot, const std::string& why, TimePoint now) {
    impl_->work(now, [&](Work& work) { work.engine_without_gpu(slot, why, now); });
}

void TranscoderCore::engine_lost(SlotNo slot, TimePoint now) {
    impl_->work(now, [&](Work& work) { work.engine_lost(slot); });
}

void TranscoderCore::engine_ready(SlotNo slot, TimePoint now) {
    impl_->work(now, [&](Work& work) { work.engine_ready(slot, now); });
}

void TranscoderCore::drain(TimePoint now) {
    impl_->drain(now);
}

void TranscoderCore::set_slots(std::uint32_t slots, TimePoint now) {
    impl_->set_slots(slots, now);
}

void TranscoderCore::advance_to(TimePoint now) {
    impl_->advance_to(now);
}

std::optional<TimePoint> TranscoderCore::next_deadline() const {
    return impl_->next_deadline();
}

Effects TranscoderCore::take_effects() {
    return std::exchange(impl_->effects, {});
}

CoreStatus TranscoderCore::status() const {
    return impl_->status();
}

std::vector<Place> TranscoderCore::places() const {
    return impl_->places();
}

bool TranscoderCore::ready() const {
    return impl_->any_joined() && !impl_->draining();
}

void TranscoderCore::check_invariants() const {
    impl_->check_invariants();
}

}  // namespace millrace::transcoder
