// The engines of a simulated transcoder: how long they work, what they make, and how they fail.

#include <algorithm>

#include "tests/sim/transcoder_node.h"

namespace millrace::sim {

namespace {

constexpr Size kSourceSize{1280, 720};
constexpr Duration kStepMin = milliseconds(100);
constexpr Duration kStepMax = milliseconds(400);

}  // namespace

void TranscoderNode::perform(const transcoder::StartEngine& e) {
    Engine& engine = engines_.at(e.slot.value);
    note("start", e.slot.value << 16 | e.task.attempt.value, e.task.task.value);
    if (engine.task || engine.replacing)
        violated("two tasks in one slot");
    Held& held = held_[e.task];
    const bool whole = held.source != nullptr;
    if (!whole && held.source_bytes == 0)
        violated("an engine was started without anything to work on");
    if (whole && e.dispatch.bytes != 0 && held.source->sha256 != e.dispatch.segment.sha256)
        violated("an engine was started with another source");
    held.dispatch = e.dispatch;
    held.epoch = epoch_of(e.task.orchestrator);
    engine.task = e.task;
    engine.mood = mood;
    engine.steps = 0;
    const std::uint64_t job = ++engine.job;
    if (whole)
        return begin_work(e.slot);
    // What it makes of the first part takes no time of its own; it may end all it does there.
    if (context_.rng.chance((mood.fail_chance + mood.crash_chance) / 2))
        post(context_.between(milliseconds(1), milliseconds(200)), [this, slot = e.slot, job] {
            Engine& failing = engines_.at(slot.value);
            if (failing.job == job && failing.task && failing.steps == 0)
                engine_trouble(slot, failing);
        });
}

void TranscoderNode::begin_work(SlotNo slot) {
    Engine& engine = engines_.at(slot.value);
    engine.media = held_.at(*engine.task).source->duration;
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
    post(engine.per_step, [this, slot, job] { engine_step(slot, job); });
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

// No node has a GPU: these come only where one has.
void TranscoderNode::perform(const transcoder::SeatEngine& e) {
    note("seat", e.slot.value);
    replace_engine(e.slot);
}

void TranscoderNode::perform(const transcoder::GpuFailed& e) {
    note("GPU failed", e.gpu.value);
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
    // From far below what kPrices say to far above.
    report.cpu_us = to_ms(engine.media) * static_cast<std::int64_t>(context_.rng.below(4000));
    if (lies_left_ > 0 && context_.rng.chance(engine.mood.lie_chance))
        lie(report);
    core_->engine_finished(slot, ref, report, {}, now());
    if (found->second.renditions.empty())
        core_->renditions_sent(ref, now());  // nothing to wait for: all fell away
}

}  // namespace millrace::sim
