#include "tests/support/core_harness.h"

#include <algorithm>
#include <memory>

#include "common/base/check.h"

namespace millrace::orchestrator::testing {
namespace {

constexpr Duration kLatency = 1ms;
constexpr int kSteps = 4;  // progress messages per task

Sha256 rendition_sha(const Dispatch& task, std::uint32_t index, bool corrupted) {
    return sha(std::to_string(task.task.value) + "/" + std::to_string(task.attempt.value) + "/" +
               std::to_string(index) + (corrupted ? "x" : ""));
}

}  // namespace

Sha256 sha(std::string_view text) {
    Sha256 value{};
    std::uint64_t hash = 14695981039346656037ULL;
    for (const char c : text)
        hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211ULL;
    for (std::size_t i = 0; i < value.size(); ++i) {
        hash = (hash ^ i) * 1099511628211ULL;
        value[i] = static_cast<std::uint8_t>(hash >> 32);
    }
    return value;
}

TranscoderKey key(std::string_view name) {
    return {"key-" + std::string(name)};
}
SessionId session_id(std::string_view name) {
    return {"session-" + std::string(name)};
}

Ladder small_ladder() {
    return {*preset_rendition("P240p30fps16x9"), *preset_rendition("P360p30fps16x9")};
}

Capabilities cpu_capabilities() {
    Capabilities c;
    c.decode = {VideoCodec::h264};
    c.encode = {VideoCodec::h264};
    c.audio_encode = {AudioCodec::aac};
    c.containers_out = {Container::mpegts};
    return c;
}

CoreConfig config() {
    CoreConfig c;
    c.default_ladder = small_ladder();
    c.epoch = Epoch{7};
    c.payload_endpoint = "127.0.0.1:8937";
    return c;
}

TranscodeReport report(const Ladder& ladder, Duration duration) {
    TranscodeReport r;
    r.source.container = Container::mpegts;
    r.source.video = VideoCodec::h264;
    r.source.size = {1280, 720};
    r.source.frames = 60;
    r.source.pixels = 60 * r.source.size.pixels();
    r.source.duration = duration;
    for (std::uint32_t i = 0; i < ladder.size(); ++i) {
        RenditionReport rendition;
        rendition.index = i;
        rendition.name = ladder[i].name;
        rendition.container = ladder[i].container;
        rendition.bytes = 100 + i;
        rendition.size = fit(ladder[i], r.source.size);
        rendition.frames = 60;
        rendition.pixels = 60 * rendition.size.pixels();
        rendition.duration = duration;
        r.renditions.push_back(rendition);
    }
    r.times.total_us = 100'000;
    return r;
}

// ---- FakeTranscoder -----------------------------------------------------------------------------

FakeTranscoder::FakeTranscoder(Harness& world, std::string its_name, std::uint32_t its_slots)
    : key(testing::key(its_name)), name(std::move(its_name)), slots(its_slots), world_(world) {}

void FakeTranscoder::hello() {
    Hello m;
    m.name = name;
    m.version = "test";
    m.nonce = nonce;
    m.slots = slots;
    m.capabilities = capabilities;
    m.capacity = capacity;
    m.signer = signer;
    say(m);
}

void FakeTranscoder::payload_lane(bool up) {
    world_.call(
        [&](OrchestratorCore& core, TimePoint now) { core.payload_lane(key, nonce, up, now); });
}

void FakeTranscoder::restart() {
    ++life_;
    alive_ = true;
    incarnation.value += 1;
    nonce += 1;
    draining = false;
    sessions.clear();
    queues_.clear();
    registered_as.reset();
    hello();
}

void FakeTranscoder::say(ToOrchestrator message) {
    if (!alive_ || manner.mute)
        return;
    const FromTranscoder full{{epoch, incarnation}, std::move(message)};
    world_.call([&](OrchestratorCore& core, TimePoint now) { core.on_message(key, full, now); });
}

void FakeTranscoder::beat() {
    Heartbeat m;
    m.number = ++beats_;
    m.slots = slots;
    m.slots_free =
        sessions.size() >= slots ? 0 : slots - static_cast<std::uint32_t>(sessions.size());
    m.draining = draining;
    m.sessions.assign(sessions.begin(), sessions.end());
    say(m);
}

void FakeTranscoder::receive(const Send& effect) {
    if (!alive_)
        return;
    heard.push_back(effect.message);
    if (const auto* m = std::get_if<Welcome>(&effect.message))
        on(*m);
    else if (std::holds_alternative<WhoAreYou>(effect.message))
        hello();
    else if (const auto* reserve = std::get_if<Reserve>(&effect.message))
        on(*reserve);
    else if (const auto* release = std::get_if<Release>(&effect.message))
        sessions.erase(release->session);
    else if (const auto* dispatch = std::get_if<Dispatch>(&effect.message))
        on(*dispatch);
    else if (const auto* cancel = std::get_if<Cancel>(&effect.message))
        on(*cancel);
    else if (std::holds_alternative<DrainRequest>(effect.message))
        draining = true;
}

void FakeTranscoder::on(const Welcome& m) {
    const bool first = !registered_as;
    registered_as = m.name;
    payload_lane(true);
    if (!first)
        return;
    const std::uint64_t life = life_;
    // One chain of heartbeats per life.
    const auto chain = std::make_shared<std::function<void()>>();
    *chain = [this, life, weak = std::weak_ptr(chain)] {
        if (life != life_ || !alive_)
            return;
        beat();
        if (const auto next = weak.lock())
            world_.later(1s, [next] { (*next)(); });
    };
    world_.later(1s, [chain] { (*chain)(); });
}

void FakeTranscoder::on(const Reserve& m) {
    if (!manner.answers_reserve)
        return;
    const bool has = sessions.contains(m.session);
    const auto used = static_cast<std::uint32_t>(sessions.size());
    if (!manner.grants || draining || (!has && used >= slots)) {
        say(SlotRefused{m.reservation,
                        m.session,
                        draining ? SlotRefusal::draining : SlotRefusal::no_free_slot,
                        used >= slots ? 0 : slots - used,
                        {}});
        return;
    }
    sessions.insert(m.session);
    say(SlotGranted{m.reservation, m.session, slots - static_cast<std::uint32_t>(sessions.size())});
}

void FakeTranscoder::on(const Dispatch& m) {
    dispatched.push_back(m);
    if (!sessions.contains(m.segment.session)) {
        MR_CHECK(!strict, "tasks come into granted slots only");
        return say(TaskFailed{m.task, m.attempt, ErrorKind::overloaded, "no slot", false, false});
    }
    queues_[m.segment.session].push_back({m, false, m.bytes == 0, false});
}

void FakeTranscoder::on(const Cancel& m) {
    cancelled.push_back(m);
    leave_queue(m.task, m.attempt);
}

void FakeTranscoder::leave_queue(TaskId task, AttemptNo attempt) {
    for (auto& [session, queue] : queues_) {
        const auto found = std::find_if(queue.begin(), queue.end(), [&](const Work& w) {
            return w.task.task == task && w.task.attempt == attempt;
        });
        if (found == queue.end())
            continue;
        queue.erase(found);
        const SessionId which = session;
        world_.later(0ms, [this, which] { pump(which); });
        return;
    }
}

bool FakeTranscoder::holds(const Dispatch& task) const {
    const auto found = queues_.find(task.segment.session);
    return found != queues_.end() &&
           std::any_of(found->second.begin(), found->second.end(), [&](const Work& w) {
               return w.task.task == task.task && w.task.attempt == task.attempt;
           });
}

bool FakeTranscoder::is_open(const Dispatch& task) const {
    for (const Work& w : queues_.at(task.segment.session))
        if (w.task.task == task.task && w.task.attempt == task.attempt)
            return w.open;
    return false;
}

void FakeTranscoder::end_transfer(const TransferId& transfer) {
    world_.later(5ms, [this, transfer, life = life_] {
        if (life != life_ || !alive_ || manner.mute)
            return;
        for (auto& [session, queue] : queues_)
            for (Work& w : queue)
                if (w.task.task == transfer.task && w.task.attempt == transfer.attempt)
                    w.open = false;
    });
}

void FakeTranscoder::start_transfer(const TransferId& transfer) {
    world_.later(5ms, [this, transfer, life = life_] {
        if (life != life_ || !alive_ || manner.mute)
            return;
        world_.call([&](OrchestratorCore& core, TimePoint now) {
            core.transfer_progress(transfer, key, now);
        });
        for (auto& [session, queue] : queues_)
            for (Work& w : queue)
                if (w.task.task == transfer.task && w.task.attempt == transfer.attempt) {
                    w.source_here = true;
                    return pump(SessionId{session});
                }
    });
}

void FakeTranscoder::pump(const SessionId& session) {
    auto& queue = queues_[session];
    if (queue.empty() || queue.front().busy || !queue.front().source_here || manner.never_starts)
        return;
    queue.front().busy = true;
    run(Dispatch(queue.front().task));
}

void FakeTranscoder::run(const Dispatch& task) {
    if (manner.fails_with && manner.turns_away) {
        leave_queue(task.task, task.attempt);
        return say(
            TaskFailed{task.task, task.attempt, *manner.fails_with, "turned away", false, false});
    }
    progress(task, 0, kSteps);
}

void FakeTranscoder::progress(const Dispatch& task, int step, int steps) {
    if (!holds(task) || !alive_)
        return;
    const auto total =
        std::chrono::duration_cast<std::chrono::microseconds>(manner.measured).count();
    TaskProgress m{task.task,
                   task.attempt,
                   TaskStage::running,
                   total * step / steps,
                   manner.claims_duration ? total : 0,
                   60 * step / steps};
    const std::uint64_t life = life_;
    say(m);
    if (manner.hangs)
        return;
    if (manner.fails_early && is_open(task))
        return finish(task);
    if (step >= steps && !is_open(task))
        return finish(task);
    const int next = std::min(step + 1, is_open(task) ? steps - 1 : steps);
    world_.later(manner.works_for / steps, [this, task, next, steps, life] {
        if (life == life_)
            progress(task, next, steps);
    });
}

void FakeTranscoder::finish(const Dispatch& task) {
    if (manner.mute)
        return;
    leave_queue(task.task, task.attempt);
    if (manner.fails_with)
        return say(TaskFailed{task.task, task.attempt, *manner.fails_with, "told to fail", true,
                              manner.crashes});
    TaskFinished m{task.task, task.attempt, report(task.ladder, manner.measured), {}};
    m.report.cpu_us = manner.cpu_us;
    for (RenditionReport& r : m.report.renditions)
        r.sha256 = rendition_sha(task, r.index, false);
    if (manner.lies)
        m.report.renditions.front().size.width += 2;
    const auto send_renditions = [&] {
        if (!manner.keeps_renditions)
            for (const RenditionReport& r : m.report.renditions)
                world_.call([&](OrchestratorCore& core, TimePoint now) {
                    core.rendition_received(
                        {task.task, task.attempt, Direction::to_orchestrator, r.index}, key,
                        r.bytes, rendition_sha(task, r.index, manner.corrupts), now);
                });
    };
    if (signs)
        signs(task, m);
    // Two lanes: either may be first.
    const bool report_first = task.task.value % 2 == 0;
    if (report_first)
        say(m);
    send_renditions();
    if (!report_first)
        say(m);
}

// ---- Harness ------------------------------------------------------------------------------------

Harness::Harness(CoreConfig configuration)
    : core_(std::make_unique<OrchestratorCore>(std::move(configuration))),
      now_(TimePoint{} + std::chrono::hours(1)) {}

FakeTranscoder& Harness::silent_transcoder(const std::string& name, std::uint32_t slots) {
    auto& owned = transcoders_[key(name)];
    owned = std::make_unique<FakeTranscoder>(*this, name, slots);
    return *owned;
}

FakeTranscoder& Harness::transcoder(const std::string& name, std::uint32_t slots) {
    FakeTranscoder& t = silent_transcoder(name, slots);
    t.hello();
    run_for(5ms);
    MR_CHECK(t.registered_as.has_value(), "a transcoder that says hello is welcome");
    return t;
}

UploadRequest Harness::request(const std::string& stream, std::uint64_t seq) const {
    UploadRequest r;
    r.stream = {stream};
    r.fresh_id = session_id(stream + "-" + std::to_string(fresh_));
    r.seq = seq;
    r.content_length = 1000;
    return r;
}

UploadDecision Harness::begin(const UploadRequest& request) {
    UploadDecision decision;
    call(
        [&](OrchestratorCore& core, TimePoint now) { decision = core.begin_upload(request, now); });
    return decision;
}

UploadDecision Harness::begin(const std::string& stream, std::uint64_t seq, std::uint64_t bytes) {
    ++fresh_;
    UploadRequest r = request(stream, seq);
    r.content_length = bytes;
    return begin(r);
}

UploadId Harness::arriving(const std::string& stream, std::uint64_t seq) {
    const UploadDecision decision = begin(stream, seq);
    MR_CHECK(std::holds_alternative<UploadAdmitted>(decision), "an upload is let in");
    const UploadId upload = std::get<UploadAdmitted>(decision).upload;
    call([&](OrchestratorCore& core, TimePoint now) { core.upload_arrives(upload, now); });
    return upload;
}

UploadOutcome Harness::finish(UploadId upload, const std::string& content, std::uint64_t bytes) {
    UploadOutcome outcome;
    call([&](OrchestratorCore& core, TimePoint now) {
        outcome = core.finish_upload(upload, sha(content), bytes, now);
        if (const auto* task = std::get_if<TaskAccepted>(&outcome))
            accepted.insert(task->task);
        if (const auto* replay = std::get_if<Replayed>(&outcome))
            MR_CHECK(answers.contains(replay->answer), "only kept answers are replayed");
        if (const auto* joined = std::get_if<TaskJoined>(&outcome))
            MR_CHECK(accepted.contains(joined->task) && !endings.contains(joined->task),
                     "only open tasks are joined");
    });
    return outcome;
}

UploadOutcome Harness::push(const std::string& stream, std::uint64_t seq,
                            const std::string& content) {
    const UploadDecision decision = begin(stream, seq);
    if (const auto* no = std::get_if<Refusal>(&decision))
        return *no;
    return finish(std::get<UploadAdmitted>(decision).upload,
                  content.empty() ? stream + "/" + std::to_string(seq) : content);
}

TaskId Harness::accept(const std::string& stream, std::uint64_t seq, const std::string& content) {
    const UploadOutcome outcome = push(stream, seq, content);
    const auto* task = std::get_if<TaskAccepted>(&outcome);
    const auto* no = std::get_if<Refusal>(&outcome);
    MR_CHECK(task != nullptr, no != nullptr ? no->detail : std::string("not a new task"));
    return task->task;
}

void Harness::call(const std::function<void(OrchestratorCore&, TimePoint)>& what) {
    what(*core_, now_);
    settle();
}

void Harness::settle() {
    core_->check_invariants();
    core_->advance_to(now_);
    core_->check_invariants();
    const auto next = core_->next_deadline();
    MR_CHECK(!next || *next > now_, "what is due is done");
    for (Effects effects = core_->take_effects(); !effects.empty(); effects = core_->take_effects())
        for (const Effect& effect : effects) {
            log.push_back(effect);
            perform(effect);
        }
}

void Harness::perform(const Effect& effect) {
    if (const auto* send = std::get_if<Send>(&effect)) {
        if (const auto found = transcoders_.find(send->to); found != transcoders_.end())
            later(kLatency, [this, life = life_, t = found->second.get(), send = *send] {
                if (life == life_)
                    t->receive(send);
            });
    } else if (const auto* start = std::get_if<StartTransfer>(&effect)) {
        if (const auto found = transcoders_.find(start->to); found != transcoders_.end())
            found->second->start_transfer(start->transfer);
    } else if (const auto* early = std::get_if<StartEarlyTransfer>(&effect)) {
        if (const auto found = transcoders_.find(early->to); found != transcoders_.end())
            found->second->start_transfer(early->transfer);
    } else if (const auto* rest = std::get_if<FinishTransfer>(&effect)) {
        if (const auto found = transcoders_.find(rest->to); found != transcoders_.end())
            found->second->end_transfer(rest->transfer);
    } else if (const auto* commit = std::get_if<Commit>(&effect)) {
        commits.push_back(*commit);
        if (store_answers)
            later(store_takes, [this, life = life_, commit = *commit, task = commit->task,
                                attempt = commit->attempt] {
                if (life != life_)
                    return;  // it died with what it had not written
                if (on_stored && !store_fails)
                    on_stored(commit);
                const Result<void> result =
                    store_fails ? Result<void>(*store_fails) : Result<void>();
                call([&](OrchestratorCore& core, TimePoint now) {
                    core.committed(task, attempt, result, now);
                });
            });
    } else if (const auto* deliver = std::get_if<Deliver>(&effect)) {
        MR_CHECK(answers.insert(deliver->answer).second, "answer ids are new");
        ended(deliver->task, *deliver);
    } else if (const auto* fail = std::get_if<Fail>(&effect)) {
        ended(fail->task, *fail);
    } else if (const auto* forget = std::get_if<ForgetAnswer>(&effect)) {
        MR_CHECK(answers.erase(forget->answer) == 1, "only kept answers are forgotten");
    }
}

void Harness::crash(CoreConfig configuration, const std::vector<RestoredSession>& sessions) {
    ++life_;
    const Epoch epoch = configuration.epoch;
    core_ = std::make_unique<OrchestratorCore>(std::move(configuration));
    accepted.clear();
    endings.clear();
    answers.clear();
    call([&](OrchestratorCore& core, TimePoint now) { core.restore(sessions, {}, now); });
    for (auto& [key, transcoder] : transcoders_) {
        transcoder->epoch = epoch;
        transcoder->restart();
    }
}

void Harness::ended(TaskId task, std::variant<Deliver, Fail> how) {
    MR_CHECK(accepted.contains(task), "only accepted tasks end");
    MR_CHECK(endings.emplace(task, Ending{std::move(how), now_}).second, "a task ends once");
}

void Harness::later(Duration d, std::function<void()> what) {
    events_[{now_ + d, ++order_}] = std::move(what);
}

void Harness::run_for(Duration d) {
    run_until([] { return false; }, d);
}

bool Harness::run_until(const std::function<bool()>& done, Duration d) {
    const TimePoint end = now_ + d;
    while (!done()) {
        std::optional<TimePoint> next = core_->next_deadline();
        if (!events_.empty() && (!next || events_.begin()->first.first <= *next))
            next = events_.begin()->first.first;
        if (!next || *next > end) {
            now_ = end;
            settle();
            return done();
        }
        now_ = std::max(now_, *next);
        if (!events_.empty() && events_.begin()->first.first <= now_) {
            const auto what = std::move(events_.begin()->second);
            events_.erase(events_.begin());
            what();
        }
        settle();
    }
    return true;
}

const Ending& Harness::ending(TaskId task, Duration within) {
    MR_CHECK(run_until([&] { return endings.contains(task); }, within), "the task ended in time");
    return endings.at(task);
}

std::size_t Harness::noted(Noted::What what) const {
    return static_cast<std::size_t>(std::count_if(log.begin(), log.end(), [what](const Effect& e) {
        const auto* noted = std::get_if<Noted>(&e);
        return noted != nullptr && noted->what == what;
    }));
}

std::string Harness::state_of(const std::string& name) const {
    for (const TranscoderStatus& t : core_->status().transcoders)
        if (t.name == name)
            return t.state;
    return "absent";
}

std::string Harness::place_of(const std::string& stream) const {
    for (const SessionStatus& s : core_->status().sessions)
        if (s.stream.value == stream)
            return s.transcoder;
    return "absent";
}

}  // namespace millrace::orchestrator::testing
