#include "tests/sim/transcoder_node.h"

#include <algorithm>

#include "common/wire/codec.h"

namespace millrace::sim {

namespace {

constexpr std::uint64_t kChunkBytes = 256 * 1024;
constexpr std::size_t kEarlyMax = 32;  // attempts whose chunks outran their Dispatch
constexpr Size kSourceSize{1280, 720};
constexpr Duration kStepMin = milliseconds(100);
constexpr Duration kStepMax = milliseconds(400);

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
        return;
    held.source = frame.body;
    post(Duration{0}, [this, ref] { core_->source_received(ref, now()); });
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

// ---- engines

void TranscoderNode::perform(const transcoder::StartEngine& e) {
    Engine& engine = engines_.at(e.slot.value);
    note("start", e.slot.value << 16 | e.task.attempt.value, e.task.task.value);
    if (engine.task || engine.replacing)
        violated("two tasks in one slot");
    Held& held = held_[e.task];
    if (held.source == nullptr || held.source->sha256 != e.dispatch.segment.sha256)
        violated("an engine was started without its source");
    held.dispatch = e.dispatch;
    held.epoch = epoch_of(e.task.orchestrator);
    engine.task = e.task;
    engine.mood = mood;
    engine.media = held.source->duration;
    const double work = static_cast<double>(engine.media.count()) * context_.options.engine_speed *
                        mood.slow * (0.8 + 0.01 * static_cast<double>(context_.rng.below(40)));
    engine.steps = static_cast<unsigned>(std::clamp(work / 250e6, 2.0, 400.0));
    engine.per_step =
        std::clamp(Duration(static_cast<std::int64_t>(work / engine.steps)), kStepMin, kStepMax);
    engine.step = 0;
    const double trouble = mood.fail_chance + mood.crash_chance + mood.hang_chance;
    engine.stops_at = context_.rng.chance(trouble)
                          ? 1 + static_cast<unsigned>(context_.rng.below(engine.steps))
                          : 0;
    const std::uint64_t job = ++engine.job;
    post(engine.per_step, [this, slot = e.slot, job] { engine_step(slot, job); });
}

void TranscoderNode::engine_step(SlotNo slot, std::uint64_t job) {
    Engine& engine = engines_.at(slot.value);
    if (engine.job != job || !engine.task)
        return;
    if (++engine.step == engine.stops_at)
        return engine_trouble(slot, engine);
    const Duration done = engine.media * engine.step / engine.steps;
    core_->engine_progress(slot, *engine.task, done, engine.media, done / milliseconds(40), now());
    if (engine.step == engine.steps)
        return finish(slot, engine);
    post(engine.per_step, [this, slot, job] { engine_step(slot, job); });
}

void TranscoderNode::engine_trouble(SlotNo slot, Engine& engine) {
    const EngineMood& m = engine.mood;
    const double total = m.fail_chance + m.crash_chance + m.hang_chance;
    if (context_.rng.chance(m.hang_chance / total)) {
        note("engine hangs", slot.value);
        return;
    }
    const bool crashed = context_.rng.chance(m.crash_chance / (total - m.hang_chance + 1e-9));
    note(crashed ? "engine crashes" : "engine fails", slot.value);
    const TaskRef ref = *engine.task;
    engine.task.reset();
    if (crashed)
        replace_engine(slot);
    const ErrorKind kinds[] = {ErrorKind::internal, ErrorKind::timeout, ErrorKind::overloaded};
    core_->engine_failed(slot, ref,
                         error(kinds[context_.rng.below(3)], "as the simulation wants it"), crashed,
                         now());
}

void TranscoderNode::replace_engine(SlotNo slot) {
    Engine& engine = engines_.at(slot.value);
    engine.task.reset();
    engine.replacing = true;
    const std::uint64_t job = ++engine.job;
    post(context_.between(milliseconds(20), milliseconds(600)), [this, slot, job] {
        Engine& replaced = engines_.at(slot.value);
        if (replaced.job != job)
            return;
        replaced.replacing = false;
        core_->engine_ready(slot, now());
    });
}

void TranscoderNode::perform(const transcoder::StopEngine& e) {
    note("stop", e.slot.value, e.task.task.value);
    // It may have ended by itself in the same moment; the answer is one engine_ready all the same.
    replace_engine(e.slot);
}

void TranscoderNode::make_renditions(TaskRef ref, const Engine& engine) {
    Held& held = held_.at(ref);
    const std::uint64_t maker = maker_tag(index(), held.epoch, ref.task, ref.attempt);
    for (std::uint32_t i = 0; i < held.dispatch->ladder.size(); ++i) {
        if (falls_away(held.dispatch->ladder[i], kSourceSize))
            continue;
        Blob blob;
        blob.sha256 = model_hash(maker, i);
        blob.bytes = 1000 + static_cast<std::uint64_t>(to_ms(engine.media)) * 100 / (i + 1);
        blob.source = held.source->sha256;
        blob.maker = maker;
        blob.index = i;
        blob.duration = engine.media;
        held.renditions.push_back({std::make_shared<const Blob>(blob), false});
        send_rendition(ref, held, held.renditions.back());
    }
}

TranscodeReport TranscoderNode::report_of(const Held& held, Duration media) const {
    TranscodeReport report;
    report.source = {Container::mpegts,
                     VideoCodec::h264,
                     AudioCodec::aac,
                     kSourceSize,
                     {25, 1},
                     media / milliseconds(40),
                     (media / milliseconds(40)) * kSourceSize.pixels(),
                     media,
                     0,
                     "avc1.64001f,mp4a.40.2"};
    for (std::uint32_t i = 0; i < held.dispatch->ladder.size(); ++i)
        if (falls_away(held.dispatch->ladder[i], kSourceSize))
            report.skipped.push_back({i, held.dispatch->ladder[i].name, "larger than the source"});
    for (const Rendition& rendition : held.renditions) {
        const RenditionSpec& spec = held.dispatch->ladder.at(rendition.blob->index);
        RenditionReport r;
        r.index = rendition.blob->index;
        r.name = spec.name;
        r.container = spec.container;
        r.bytes = rendition.blob->bytes;
        r.sha256 = rendition.blob->sha256;
        r.size = fit(spec, report.source.size);
        r.frames = report.source.frames;
        r.pixels = r.frames * r.size.pixels();
        r.duration = media;
        r.frame_rate = {25, 1};
        r.codecs = report.source.codecs;
        r.bandwidth =
            static_cast<std::int64_t>(r.bytes) * 8'000 / std::max<std::int64_t>(1, to_ms(media));
        report.renditions.push_back(r);
    }
    return report;
}

void TranscoderNode::lie(TranscodeReport& report) {
    note("lie");
    --lies_left_;
    context_.lies_told = true;
    switch (report.renditions.empty() ? 3 : context_.rng.below(4)) {
        case 0:
            report.renditions[0].sha256[0] ^= 1;
            break;
        case 1:
            report.renditions[0].pixels *= 2;
            break;
        case 2:
            report.renditions.pop_back();
            break;
        default:
            report.source.video = VideoCodec::none;
            break;
    }
}

void TranscoderNode::finish(SlotNo slot, Engine& engine) {
    const TaskRef ref = *engine.task;
    engine.task.reset();
    ++engine.job;
    const auto found = held_.find(ref);
    if (found == held_.end())
        return;
    make_renditions(ref, engine);
    found->second.finished = true;
    TranscodeReport report = report_of(found->second, engine.media);
    if (lies_left_ > 0 && context_.rng.chance(engine.mood.lie_chance))
        lie(report);
    core_->engine_finished(slot, ref, report, {}, now());
    if (found->second.renditions.empty())
        core_->renditions_sent(ref, now());  // nothing to wait for: all fell away
}

}  // namespace millrace::sim
