#include "tests/sim/transcoder_node.h"

#include <algorithm>

#include "common/wire/codec.h"

namespace millrace::sim {

namespace {

constexpr std::uint64_t kChunkBytes = 256 * 1024;
// Told and counted, but slots bind before: a session that has to move must not find that nobody has CPU for it.
constexpr CpuBudget kPrices{2'000, 700, 9'000, 1'000'000'000'000'000};
constexpr std::size_t kEarlyMax = 32;  // attempts whose chunks outran their Dispatch

}  // namespace

TranscoderNode::TranscoderNode(Context& context, Network& network, unsigned index, unsigned slots)
    : Node(context, 't', index),
      network_(network),
      key_{"transcoder-key-of-the-simulation-no-" + std::to_string(1000 + index)},
      slots_(slots) {}

TranscoderNode::~TranscoderNode() = default;

// ---- life of the process

void TranscoderNode::boot() {
    incarnation_ = Incarnation{context_.rng.next() | 1};
    transcoder::CoreConfig config;
    config.name = "mill-" + std::to_string(index());
    config.version = "sim";
    config.key = key_;
    config.incarnation = incarnation_;
    config.slots = slots_;
    config.capabilities = {{VideoCodec::h264, VideoCodec::hevc},
                           {VideoCodec::h264},
                           {AudioCodec::aac},
                           {Container::mpegts, Container::mp4},
                           8};
    config.capacity.cpu = kPrices;
    for (unsigned o = 0; o < context_.options.orchestrators; ++o)
        config.orchestrators.push_back({"o" + std::to_string(o) + ":8936", true, false, ""});
    config.seed = context_.rng.next();
    begin_life();
    note("boot", incarnation_.value);
    core_ = std::make_unique<transcoder::TranscoderCore>(std::move(config));
    engines_.assign(kSlotsMax, {});
    deliver([this] { core_->start(now()); });
}

void TranscoderNode::kill() {
    note("killed");
    end_life();
    core_.reset();
    held_.clear();
    early_.clear();
    told_.clear();
    first_epoch_.clear();
    network_.transcoder_died(index());
}

void TranscoderNode::drain() {
    deliver([this] {
        note("drain");
        core_->drain(now());
    });
}

void TranscoderNode::set_slots(unsigned slots) {
    slots_ = slots;
    deliver([this, slots] {
        note("slots", slots);
        core_->set_slots(slots, now());
    });
}

bool TranscoderNode::ready() const {
    return alive() && core_->ready();
}

transcoder::CoreStatus TranscoderNode::status() const {
    return core_->status();
}

Epoch TranscoderNode::epoch_of(OrchestratorIndex orchestrator) const {
    return core_->status().orchestrators.at(orchestrator.value).epoch;
}

std::optional<TimePoint> TranscoderNode::settle() {
    core_->advance_to(now());
    const auto effects = core_->take_effects();
    for (const auto& effect : effects) {
        std::visit([this](const auto& e) { perform(e); }, effect);
        if (!alive())
            return std::nullopt;
    }
    core_->check_invariants();
    return core_->next_deadline();
}

// ---- lanes

void TranscoderNode::connected(Path at) {
    if (at.lane == Lane::control)
        deliver([this, at] {
            core_->lane_event(OrchestratorIndex{at.orchestrator}, transcoder::LaneEvent::connected,
                              now());
        });
}

void TranscoderNode::lost(Path at) {
    if (at.lane == Lane::control)
        deliver([this, at] {
            core_->lane_event(OrchestratorIndex{at.orchestrator}, transcoder::LaneEvent::lost,
                              now());
        });
}

void TranscoderNode::receive(Path at, const Frame& frame) {
    deliver([this, at, frame] {
        const OrchestratorIndex from{at.orchestrator};
        if (at.lane == Lane::control) {
            const auto decoded = decode_from_orchestrator(frame.head);
            if (!decoded || !std::holds_alternative<FromOrchestrator>(*decoded))
                violated("an orchestrator's message does not decode");
            on_control(from, std::get<FromOrchestrator>(*decoded));
        } else {
            const auto decoded = decode_payload(frame.head);
            if (!decoded || !std::holds_alternative<PayloadEnvelope>(*decoded))
                violated("an orchestrator's payload envelope does not decode");
            on_payload(from, std::get<PayloadEnvelope>(*decoded), frame);
        }
    });
}

void TranscoderNode::on_control(OrchestratorIndex from, FromOrchestrator message) {
    note("control", from.value << 8 | message.message.index(), message.fence.epoch.value);
    if (context_.options.mutation == Mutation::no_epoch_fence) {
        const auto [first, fresh] = first_epoch_.emplace(from, message.fence.epoch);
        message.fence.epoch = first->second;
    }
    if (const auto* release = std::get_if<Release>(&message.message)) {
        if (context_.options.mutation == Mutation::lose_release)
            return;
        told_.erase({from, release->session});
    }
    core_->on_message(from, message, now());
}

void TranscoderNode::on_payload(OrchestratorIndex from, const PayloadEnvelope& message,
                                const Frame& frame) {
    core_->on_payload(from, message, now());
    if (message.fence != Fence{epoch_of(from), incarnation_})
        return;
    if (const auto* chunk = std::get_if<Chunk>(&message.message))
        on_chunk(from, *chunk, frame);
    else if (const auto* credit = std::get_if<Credit>(&message.message))
        rendition_settled(from, credit->transfer);
    else if (const auto* abort = std::get_if<TransferAbort>(&message.message)) {
        const TaskRef ref{from, abort->transfer.task, abort->transfer.attempt};
        if (abort->transfer.direction == Direction::to_orchestrator)
            rendition_settled(from, abort->transfer);
        else if (held_.contains(ref))
            core_->source_failed(ref, error(ErrorKind::disconnected, abort->reason), now());
    }
}

void TranscoderNode::perform(const transcoder::OpenControl& e) {
    network_.close(path(e.orchestrator, Lane::payload));
    network_.open(path(e.orchestrator, Lane::control));
}

void TranscoderNode::perform(const transcoder::OpenPayload& e) {
    network_.open(path(e.orchestrator, Lane::payload));
}

void TranscoderNode::perform(const transcoder::CloseLanes& e) {
    note("close", e.orchestrator.value);
    network_.close(path(e.orchestrator, Lane::control));
    network_.close(path(e.orchestrator, Lane::payload));
    std::erase_if(early_,
                  [&](const auto& one) { return one.first.orchestrator == e.orchestrator; });
}

void TranscoderNode::perform(const transcoder::SendControl& e) {
    if (const auto* granted = std::get_if<SlotGranted>(&e.message.message))
        check_grant(e.orchestrator, *granted);
    if (const auto* beat = std::get_if<Heartbeat>(&e.message.message)) {
        // The truth, once a second: what it does not name is not held.
        std::erase_if(told_, [&](const auto& one) {
            return one.first == e.orchestrator &&
                   std::find(beat->sessions.begin(), beat->sessions.end(), one.second) ==
                       beat->sessions.end();
        });
    }
    if (!network_.send(path(e.orchestrator, Lane::control), {encode(e.message), nullptr, 0}))
        note("unsent", e.orchestrator.value, e.message.message.index());
}

void TranscoderNode::check_grant(OrchestratorIndex to, const SlotGranted& granted) {
    note("grant", granted.reservation.value, granted.slots_free);
    const auto status = core_->status();
    const bool again = told_.contains({to, granted.session});
    if (status.slots_reserved > status.slots && !again)
        violated("granted " + std::to_string(status.slots_reserved) + " of " +
                 std::to_string(status.slots) + " slots");
    told_.insert({to, granted.session});
}

void TranscoderNode::perform(const transcoder::SendPayload& e) {
    network_.send(path(e.orchestrator, Lane::payload), {encode(e.message), nullptr, 0});
}

void TranscoderNode::perform(const transcoder::LinkChanged& e) {
    note(e.up ? "link up" : "link down", e.orchestrator.value);
    if (!e.up)
        return;
    for (const auto& [ref, held] : held_)
        if (ref.orchestrator == e.orchestrator)
            for (const Rendition& rendition : held.renditions)
                if (!rendition.acknowledged)
                    send_rendition(ref, held, rendition);
}

void TranscoderNode::perform(const transcoder::Exit& e) {
    note("exit", static_cast<std::uint64_t>(e.code));
    if (e.code != 0)
        violated("left with " + std::to_string(e.code) + ": " + e.message);
    // What was said last still goes out.
    end_life();
    core_.reset();
    held_.clear();
    early_.clear();
    told_.clear();
    network_.transcoder_died(index());
}

// ---- transfers

void TranscoderNode::perform(const transcoder::ExpectSource& e) {
    Held& held = held_[e.task];
    const auto early = early_.find(e.task);
    if (early == early_.end())
        return;
    const Early chunks = std::move(early->second);
    early_.erase(early);
    // Task numbers start anew with an epoch: chunks of the old one are of another task.
    if (chunks.epoch == epoch_of(e.task.orchestrator))
        for (const auto& [chunk, frame] : chunks.chunks)
            take_source(e.task, held, chunk, frame);
}

void TranscoderNode::on_chunk(OrchestratorIndex from, const Chunk& chunk, const Frame& frame) {
    const TaskRef ref{from, chunk.transfer.task, chunk.transfer.attempt};
    if (const auto found = held_.find(ref); found != held_.end())
        return take_source(ref, found->second, chunk, frame);
    Early& early = early_[ref];
    if (early.epoch != epoch_of(from))
        early = {epoch_of(from), {}};
    early.chunks.push_back({chunk, frame});
    if (early_.size() > kEarlyMax)
        early_.erase(early_.begin());
}

void TranscoderNode::take_source(TaskRef ref, Held& held, const Chunk& chunk, const Frame& frame) {
    if (held.source != nullptr || chunk.offset != held.source_bytes)
        return;
    held.source_bytes += frame.body_bytes;
    send_payload(ref.orchestrator, epoch_of(ref.orchestrator),
                 Credit{chunk.transfer, held.source_bytes + 4 * kChunkBytes});
    if (!chunk.last)
        return post(Duration{0}, [this, ref] { core_->source_arrived(ref, now()); });
    held.source = frame.body;
    post(Duration{0}, [this, ref] {
        core_->source_received(ref, now());
        for (std::uint32_t slot = 0; slot < engines_.size(); ++slot)
            if (engines_[slot].task == ref && engines_[slot].steps == 0)
                begin_work(SlotNo{slot});
    });
}

void TranscoderNode::send_payload(OrchestratorIndex to, Epoch epoch, PayloadMessage message,
                                  BlobPtr body, std::uint64_t body_bytes) {
    const PayloadEnvelope envelope{{epoch, incarnation_}, std::move(message)};
    network_.send(path(to, Lane::payload), {encode(envelope), std::move(body), body_bytes});
}

void TranscoderNode::send_rendition(TaskRef ref, const Held& held, const Rendition& rendition) {
    const TransferId transfer{ref.task, ref.attempt, Direction::to_orchestrator,
                              rendition.blob->index};
    for (std::uint64_t offset = 0; offset < rendition.blob->bytes; offset += kChunkBytes) {
        const std::uint64_t size = std::min(kChunkBytes, rendition.blob->bytes - offset);
        const bool last = offset + size == rendition.blob->bytes;
        Chunk chunk{transfer, offset, last, rendition.blob->bytes, {}};
        if (last)
            chunk.sha256 = rendition.blob->sha256;
        send_payload(ref.orchestrator, held.epoch, chunk, rendition.blob, size);
    }
}

void TranscoderNode::rendition_settled(OrchestratorIndex from, const TransferId& transfer) {
    const TaskRef ref{from, transfer.task, transfer.attempt};
    const auto found = held_.find(ref);
    if (found == held_.end())
        return;
    Held& held = found->second;
    for (Rendition& rendition : held.renditions)
        if (rendition.blob->index == transfer.index)
            rendition.acknowledged = true;
    const bool all = std::all_of(held.renditions.begin(), held.renditions.end(),
                                 [](const Rendition& r) { return r.acknowledged; });
    if (held.finished && all)
        core_->renditions_sent(ref, now());
}

void TranscoderNode::perform(const transcoder::DropTask& e) {
    held_.erase(e.task);
    early_.erase(e.task);
}

void TranscoderNode::perform(const transcoder::TaskEnded& e) {
    note("ended", e.task.task.value, e.task.attempt.value);
}

}  // namespace millrace::sim
