#include "transcoder/service.h"

#include <algorithm>
#include <utility>

#include "common/domain/receipt.h"
#include "common/runtime/log.h"
#include "common/runtime/wall_clock.h"

namespace millrace::transcoder {
namespace {

constexpr std::string_view kModule = "service";

std::string text(std::uint64_t number) {
    return std::to_string(number);
}

CoreConfig with_credentials(CoreConfig config, const std::vector<Credentials>& credentials) {
    for (std::size_t i = 0; i < config.orchestrators.size(); ++i) {
        OrchestratorEntry& entry = config.orchestrators[i];
        entry.enrolled = credentials[i].knows_server();
        entry.has_token = credentials[i].has_token();
        entry.token_id = credentials[i].token_id();
    }
    return config;
}

std::vector<std::size_t> ready_ones(const gpu::Stock& stock) {
    std::vector<std::size_t> ready;
    for (std::size_t at = 0; at < stock.size(); ++at)
        if (stock[at].state == gpu::GpuState::ready)
            ready.push_back(at);
    return ready;
}

}  // namespace

Service::Service(Parts parts, ServiceOptions options,
                 std::function<void(int, const std::string&)> leave)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      leave_(std::move(leave)),
      ready_gpus_(ready_ones(options_.gpus)),
      core_(with_credentials(options_.core, options_.credentials)),
      engines_(parts_.loop, parts_.pool, uuids(core_.places()), *this),
      timer_(parts_.loop) {
    if (auto known = parts_.data_dir.orchestrators())
        known_ = std::move(*known);
    for (std::uint32_t i = 0; i < options_.core.orchestrators.size(); ++i) {
        links_.push_back(std::make_unique<OrchestratorLink>(
            OrchestratorLink::Parts{parts_.loop, parts_.context, parts_.own, parts_.pool, *this,
                                    options_.limits.body_bytes},
            OrchestratorIndex{i}, options_.core.orchestrators[i].address, options_.credentials[i]));
        parts_.metrics.link(address(OrchestratorIndex{i}), false);
    }
}

Service::~Service() = default;

void Service::start() {
    core_.start(now());
    settle();
}

void Service::drain() {
    core_.drain(now());
    settle();
}

void Service::settle() {
    if (batch_ != nullptr)
        return;  // an effect led to this event: the loop below goes on
    for (Effects effects = core_.take_effects(); !effects.empty(); effects = core_.take_effects()) {
        batch_ = &effects;
        for (const Effect& effect : effects)
            std::visit([this](const auto& it) { perform(it); }, effect);
        batch_ = nullptr;
    }
    const auto next = core_.next_deadline();
    if (!next)
        return timer_.cancel();
    timer_.set(*next, [this] {
        if (!ready_gpus_.empty())
            core_.tell_gpus(gpu_readings());
        core_.advance_to(now());
        settle();
    });
}

// ---- links

void Service::link_event(OrchestratorIndex from, LaneEvent event) {
    core_.lane_event(from, event, now());
    settle();
}

void Service::link_control(OrchestratorIndex from, const FromOrchestrator& message) {
    core_.on_message(from, message, now());
    settle();
}

void Service::link_payload(OrchestratorIndex from, const PayloadEnvelope& message) {
    core_.on_payload(from, message, now());
    settle();
}

void Service::link_source_arrived(TaskRef task) {
    const auto found = tasks_.find(task);
    if (found == tasks_.end())
        return;
    if (found->second.slot)
        return give(task, found->second, link(task.orchestrator).take_source(task));
    core_.source_arrived(task, now());
    settle();
}

void Service::link_source(TaskRef task, PayloadPtr rest, const Sha256& sha256) {
    const auto found = tasks_.find(task);
    if (found == tasks_.end())
        return;
    found->second.segment.sha256 = sha256;  // a dispatch before the body's end does not know it
    if (found->second.slot) {
        give(task, found->second, std::move(rest));
        give_end(task, found->second);
    } else {
        found->second.source = std::move(rest);
    }
    parts_.metrics.received(now() - found->second.expected_at);
    core_.source_received(task, now());
    settle();
}

void Service::link_source_broken(TaskRef task, const Error& problem) {
    core_.source_failed(task, problem, now());
    settle();
}

void Service::link_renditions_sent(TaskRef task) {
    if (const auto found = tasks_.find(task); found != tasks_.end())
        parts_.metrics.sent(now() - found->second.finished_at);
    core_.renditions_sent(task, now());
    settle();
}

void Service::perform(const OpenControl& effect) {
    link(effect.orchestrator).open_control(effect.enrolling);
}
void Service::perform(const OpenPayload& effect) {
    link(effect.orchestrator).open_payload(effect.endpoint);
}
void Service::perform(const CloseLanes& effect) {
    link(effect.orchestrator).close();
}
void Service::perform(const SendControl& effect) {
    if (!std::holds_alternative<TaskFinished>(effect.message.message))
        return link(effect.orchestrator).send_control(effect.message);
    FromTranscoder signed_message = effect.message;
    sign(effect.orchestrator, std::get<TaskFinished>(signed_message.message));
    link(effect.orchestrator).send_control(signed_message);
}

void Service::sign(OrchestratorIndex by, TaskFinished& finished) const {
    const auto task = tasks_.find({by, finished.task, finished.attempt});
    const auto server = links_.at(by.value)->server();
    if (task == tasks_.end() || !server)
        return;
    ReceiptStub stub{wall_now(), options_.software, options_.device};
    const ReceiptParties parties{
        {server->z85()}, {parts_.own.public_key.z85()}, parts_.signer.key()};
    stub.signature = parts_.signer.sign(
        signed_bytes(receipt_of(parties, task->second.segment, finished.report, stub)));
    finished.receipt = std::move(stub);
}
void Service::perform(const SendPayload& effect) {
    link(effect.orchestrator).send_payload(effect.message);
}

void Service::perform(const RememberOrchestrator& effect) {
    const auto server = link(effect.orchestrator).server();
    if (!server)
        return;
    KnownOrchestrator& known = known_[address(effect.orchestrator)];
    if (known.key == *server && known.name == effect.name)
        return;
    known = {*server, effect.name};
    if (const auto saved = parts_.data_dir.save_orchestrators(known_); !saved)
        log::error(
            kModule, "cannot remember an orchestrator",
            {{"orchestrator", address(effect.orchestrator)}, {"reason", saved.error().message}});
}

void Service::perform(const LinkChanged& effect) {
    parts_.metrics.link(address(effect.orchestrator), effect.up);
    log::write(effect.up ? LogLevel::info : LogLevel::warn, kModule,
               effect.up ? "joined" : "not joined",
               {{"orchestrator", address(effect.orchestrator)}, {"reason", effect.reason}});
}

// ---- tasks

void Service::perform(const ExpectSource& effect) {
    Task& task = tasks_[effect.task];
    task.segment = effect.segment;
    task.expected_at = now();
    link(effect.task.orchestrator).expect_source(effect.task, effect.segment, effect.bytes);
}

void Service::perform(const StartEngine& effect) {
    EngineTask task;
    task.ladder = effect.dispatch.ladder;
    task.seq = effect.dispatch.segment.seq;
    task.seam = effect.dispatch.seam;
    task.limits = options_.limits;
    task.allow_audio_only = effect.dispatch.allow_audio_only;
    task.threads = effect.threads;
    if (effect.gpu)
        gpu::allow(task, record(*effect.gpu));
    engines_.start(effect.slot, effect.task, task);
    Task& known = tasks_[effect.task];
    known.slot = effect.slot;
    known.keeps = effect.gpu.has_value();
    known.again = effect.again;
    known.stages.reset();
    if (effect.again)
        give_again(effect.task, known);
    if (known.given_all)
        return;
    if (known.source != nullptr) {
        give(effect.task, known, std::exchange(known.source, nullptr));
        give_end(effect.task, known);
    } else {  // the rest follows as it arrives
        give(effect.task, known, link(effect.task.orchestrator).take_source(effect.task));
    }
}

void Service::give(TaskRef ref, Task& task, PayloadPtr piece) {
    if (task.keeps && piece != nullptr)
        task.given.push_back(piece);
    engines_.feed(*task.slot, ref, std::move(piece));
}

void Service::give_end(TaskRef ref, Task& task) {
    task.given_all = true;
    engines_.end_input(*task.slot, ref);
}

void Service::give_again(TaskRef ref, Task& task) {
    for (PayloadPtr& piece : std::exchange(task.given, {}))
        give(ref, task, std::move(piece));
    if (task.given_all)
        give_end(ref, task);
}

// The core says in the same breath why: TaskEnded follows StopEngine.
bool Service::stopped_by_cancel(const Effects& effects, TaskRef task) const {
    return std::any_of(effects.begin(), effects.end(), [&](const Effect& effect) {
        const auto* ended = std::get_if<TaskEnded>(&effect);
        return ended != nullptr && ended->task == task && ended->outcome == "cancelled";
    });
}

void Service::perform(const StopEngine& effect) {
    if (const auto found = tasks_.find(effect.task); found != tasks_.end())
        found->second.slot
            .reset();  // should it be begun again, what arrives until then has to wait
    engines_.stop(effect.slot, stopped_by_cancel(*batch_, effect.task));
}

void Service::perform(const SeatEngine& effect) {
    log::info(kModule, "an engine moves",
              {{"slot", text(effect.slot.value)},
               {"to", effect.gpu ? gpu::in_words(record(*effect.gpu).gpu) : "the CPU"}});
    engines_.seat(effect.slot, uuid(effect.gpu));
}

void Service::perform(const GpuFailed& effect) {
    log::warn(kModule, effect.quarantined ? "a GPU is quarantined" : "a GPU failed",
              {{"gpu", gpu::in_words(record(effect.gpu).gpu)}, {"reason", effect.reason}});
}

void Service::perform(const DropTask& effect) {
    tasks_.erase(effect.task);
    link(effect.task.orchestrator).drop(effect.task);
}

void Service::perform(const TaskEnded& effect) {
    parts_.metrics.task_ended(effect.outcome);
    log::debug(kModule, "task ended",
               {{"task", text(effect.task.task.value)},
                {"attempt", text(effect.task.attempt.value)},
                {"outcome", effect.outcome}});
}

void Service::perform(const Exit& effect) {
    leave_(effect.code, effect.message);
}

// ---- engines

void Service::engine_progress(SlotNo slot, TaskRef task, Duration done, Duration total,
                              std::int64_t frames) {
    core_.engine_progress(slot, task, done, total, frames, now());
    settle();
}

void Service::engine_rendition(SlotNo slot, TaskRef task, const RenditionReport& report,
                               PayloadPtr bytes) {
    core_.engine_rendition(slot, task, now());
    const auto added =
        link(task.orchestrator).add_rendition(task, report.index, std::move(bytes), report.sha256);
    if (!added)  // its task will not be finished in time: the orchestrator takes it elsewhere
        log::error(kModule, "a rendition found no place",
                   {{"task", text(task.task.value)}, {"reason", added.error().message}});
}

void Service::engine_finished(SlotNo slot, TaskRef task, const TranscodeReport& report) {
    const auto found = tasks_.find(task);
    if (found == tasks_.end())
        return;
    found->second.finished_at = now();
    parts_.metrics.transcoded(report);
    count_stages(found->second, report);
    found->second.given.clear();  // nobody will need it again
    core_.engine_finished(slot, task, report, report.seam, now());
    link(task.orchestrator).complete_renditions(task);
    settle();
}

void Service::engine_stages(TaskRef task, const StagesUsed& stages) {
    if (const auto found = tasks_.find(task); found != tasks_.end())
        found->second.stages = stages;
}

void Service::count_stages(const Task& task, const TranscodeReport& report) {
    if (options_.gpus.empty() || report.source.frames == 0)
        return;
    const StagesUsed without =
        task.again
            ? StagesUsed{.decoded = DecodedBy::failed, .decode_reason = "a GPU failed the segment"}
            : StagesUsed{.decoded = DecodedBy::no_gpu,
                         .decode_reason = "no GPU has room for the session"};
    const StagesUsed& seen = task.stages ? *task.stages : without;
    stages_.add(seen);
    parts_.metrics.stages(seen);
}

std::string Service::uuid(Place place) const {
    return place ? record(*place).gpu.uuid : std::string();
}

std::vector<std::string> Service::uuids(const std::vector<Place>& places) const {
    std::vector<std::string> all;
    for (const Place& place : places)
        all.push_back(uuid(place));
    return all;
}

std::vector<GpuReading> Service::gpu_readings() const {
    return gpu::readings_for_orchestrators(gpus(), parts_.gpus.latest());
}

gpu::Stock Service::gpus() const {
    gpu::Stock stock = options_.gpus;
    const std::vector<GpuStatus> now = core_.status().gpus;
    for (std::size_t no = 0; no < ready_gpus_.size(); ++no) {
        gpu::GpuRecord& record = stock.at(ready_gpus_[no]);
        record.use = {now[no].sessions, now[no].failures};
        if (now[no].quarantine.empty())
            continue;
        record.state = gpu::GpuState::quarantined;
        record.reason = now[no].quarantine;
    }
    return stock;
}

void Service::engine_failed(SlotNo slot, TaskRef task, const Error& problem, bool crashed) {
    if (const auto found = tasks_.find(task); found != tasks_.end())
        found->second.slot.reset();
    log::write(crashed ? LogLevel::warn : LogLevel::info, kModule, "a task failed",
               {{"task", text(task.task.value)},
                {"kind", std::string(to_string(problem.kind))},
                {"reason", problem.message}});
    core_.engine_failed(slot, task, problem, crashed, now());
    settle();
}

void Service::engine_lost(SlotNo slot, const std::string& why, bool device) {
    log::warn(kModule, "an idle engine ended", {{"slot", text(slot.value)}, {"reason", why}});
    if (device)
        core_.engine_without_gpu(slot, why, now());
    else
        core_.engine_lost(slot, now());
    settle();
}

void Service::engine_ready(SlotNo slot) {
    core_.engine_ready(slot, now());
    settle();
}

void Service::engine_restarted(std::string_view reason) {
    parts_.metrics.engine_restarted(reason);
}

// Said once: all engines are alike, but for those with a driver.
void Service::engine_walled(const EngineWalls& walls) {
    walls_ = walls;
    if (std::exchange(walls_said_[walls.driver ? 1 : 0], walls) == walls)
        return;
    log::write(walls.missing.empty() ? LogLevel::info : LogLevel::warn, kModule,
               "engines are walled in",
               {{"system_calls", walls.system_calls ? "allowlist" : "any"},
                {"namespaces", walls.namespaces ? "own" : "shared"},
                {"memory_bytes", text(walls.memory_bytes)},
                {"driver", walls.driver ? "let through" : "none"},
                {"missing", walls.missing}});
}

}  // namespace millrace::transcoder
