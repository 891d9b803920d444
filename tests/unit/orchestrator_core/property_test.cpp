// Random operations against the core's own invariants and a naive model of what is promised: every
// accepted task ends exactly once by its deadline, slots are never overbooked, answers never change.
#include "common/base/rng.h"
#include "tests/support/catch.h"
#include "tests/support/core_harness.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::testing;

namespace {

using Command = OrchestratorCore::TranscoderCommand;

// The model: deadlines as published, and what was answered under which identity.
class Model {
public:
    explicit Model(Harness& world) : world_(world) {}

    void look() {
        for (; seen_ < world_.log.size(); ++seen_)
            std::visit([this](const auto& e) { on(e); }, world_.log[seen_]);
        for (const auto& [task, deadline] : deadlines_)
            REQUIRE((committing_.contains(task) || world_.now() <= deadline));
        const CoreStatus status = world_.status();
        std::uint32_t active = 0;
        for (const SessionStatus& s : status.sessions)
            active += s.transcoder.empty() ? 0 : 1;
        REQUIRE(active <= status.capacity.sessions_active);
    }
    [[nodiscard]] bool open() const { return !deadlines_.empty(); }

private:
    template <class E>
    void on(const E&) {}
    void on(const Expect& e) { deadlines_[e.task] = e.deadline; }
    void on(const Commit& e) {
        REQUIRE(committing_.insert(e.task).second);  // one commit per task
        REQUIRE(deadlines_.contains(e.task));
    }
    void on(const Deliver& e) { end(e.task, e.segment, true); }
    void on(const Fail& e) { end(e.task, e.segment, false); }
    void on(const DropAttempt& e) { REQUIRE_FALSE(done_.contains(e.task)); }
    void end(TaskId task, const SegmentKey& segment, bool ok) {
        REQUIRE(deadlines_.erase(task) == 1);
        committing_.erase(task);
        done_.insert(task);
        if (ok)
            answered_[{segment.session, {segment.run, segment.seq}}] = segment.sha256;
    }

    Harness& world_;
    std::size_t seen_ = 0;
    std::map<TaskId, TimePoint> deadlines_;
    std::set<TaskId> committing_;
    std::set<TaskId> done_;
    std::map<std::pair<SessionId, std::pair<std::uint32_t, std::uint64_t>>, Sha256> answered_;
};

struct Random {
    Rng rng;
    Harness world;
    std::vector<FakeTranscoder*> transcoders;
    std::vector<UploadId> uploads;
    std::map<std::string, std::uint64_t> seqs;

    explicit Random(std::uint64_t seed, CoreConfig c) : rng(seed), world(std::move(c)) {
        for (int i = 0; i < 4; ++i)
            transcoders.push_back(&world.transcoder("t" + std::to_string(i),
                                                    1 + static_cast<std::uint32_t>(rng.below(3))));
        for (FakeTranscoder* t : transcoders)
            t->strict = false;  // lives end while messages are under way
    }

    void push() {
        const std::string stream = "s" + std::to_string(rng.below(9));
        std::uint64_t& seq = seqs[stream];
        const std::uint64_t kind = rng.below(20);
        if (kind < 15)
            ++seq;
        else if (kind == 15)
            seq = rng.below(40);
        const std::uint64_t version = kind == 16 ? rng.below(3) : 0;
        const UploadDecision in = world.begin(stream, seq, 500 + rng.below(1000));
        const auto* yes = std::get_if<UploadAdmitted>(&in);
        if (yes == nullptr)
            return;
        if (rng.chance(0.05))
            return uploads.push_back(yes->upload);  // arrives for a while
        (void)world.finish(yes->upload,
                           stream + std::to_string(seq) + "v" + std::to_string(version));
    }

    void end_upload() {
        if (uploads.empty())
            return;
        const std::size_t i = rng.below(uploads.size());
        const UploadId upload = uploads[i];
        uploads.erase(uploads.begin() + static_cast<std::ptrdiff_t>(i));
        if (rng.chance(0.5))
            world.call([&](OrchestratorCore& c, TimePoint now) { c.abort_upload(upload, now); });
        else
            (void)world.finish(upload, std::to_string(rng.next()));
    }

    void disturb(FakeTranscoder& t) {
        switch (rng.below(16)) {
            case 0:
                t.stop();
                break;
            case 1:
                t.restart();
                break;
            case 2:
                t.manner.hangs = !t.manner.hangs;
                break;
            case 3:
                t.manner.mute = !t.manner.mute;
                break;
            case 4:
                t.manner.fails_with = static_cast<ErrorKind>(rng.below(kErrorKindCount));
                t.manner.turns_away = rng.chance(0.3);
                t.manner.crashes = rng.chance(0.2);
                break;
            case 5:
                t.manner = Manner{};
                break;
            case 6:
                t.manner.works_for = std::chrono::milliseconds(rng.below(4000));
                break;
            case 7:
                t.manner.grants = !t.manner.grants;
                break;
            case 8:
                t.slots = 1 + static_cast<std::uint32_t>(rng.below(4));
                break;
            case 9:
                t.manner.corrupts = rng.chance(0.3);
                break;
            case 10:
                t.payload_lane(rng.chance(0.6));
                break;
            case 11:
                world.call(
                    [&](OrchestratorCore& c, TimePoint now) { c.connection_lost(t.key, now); });
                break;
            case 12:
                t.sessions.insert(session_id("leak" + std::to_string(rng.below(4))));
                break;
            case 13:
                world.call([&](OrchestratorCore& c, TimePoint now) {
                    (void)c.command(t.name, static_cast<Command>(rng.below(3)), now);
                });
                break;
            case 14:
                t.manner.cpu_us = static_cast<std::int64_t>(rng.next() >> (1 + rng.below(63)));
                break;
            case 15:  // CPU for one to three of its sessions as its prices have it
                t.capacity.cpu = {2'000, 700, 9'000,
                                  184'000'000'000 * static_cast<std::int64_t>(1 + rng.below(3))};
                t.restart();
                break;
        }
    }

    void govern() {
        world.call([&](OrchestratorCore& c, TimePoint now) {
            switch (rng.below(4)) {
                case 0:
                    c.set_operator_limit(
                        rng.chance(0.5) ? std::optional(std::uint32_t(rng.below(6))) : std::nullopt,
                        now);
                    break;
                case 1:
                    c.set_stake(
                        rng.chance(0.5) ? std::optional(std::uint32_t(rng.below(6))) : std::nullopt,
                        rng.chance(0.9), now);
                    break;
                case 2:
                    c.store_available(rng.chance(0.8), now);
                    break;
                case 3: {
                    const CoreStatus status = c.status();
                    if (!status.sessions.empty())
                        (void)c.end_session(status.sessions[rng.below(status.sessions.size())].id,
                                            EndReason::requested, now);
                }
            }
        });
    }

    void step() {
        const std::uint64_t what = rng.below(100);
        if (what < 60)
            push();
        else if (what < 65)
            end_upload();
        else if (what < 75)
            disturb(*transcoders[rng.below(transcoders.size())]);
        else if (what < 78)
            govern();
        else
            world.run_for(std::chrono::milliseconds(rng.below(what == 99 ? 20'000 : 800)));
    }
};

}  // namespace

TEST_CASE("random operations keep every promise", "[orchestrator][property]") {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        INFO("seed " << seed);
        CoreConfig c = config();
        c.payload_budget = 40'000;
        c.keep_bytes = 20'000;
        c.sessions_known_max = 8;
        Random random(seed, c);
        Model model(random.world);
        for (int i = 0; i < 400; ++i) {
            random.step();
            model.look();
        }
        // The longest deadline is 30 s: after that nothing is owed to anybody.
        random.world.run_for(31s);
        model.look();
        REQUIRE_FALSE(model.open());
        REQUIRE(random.world.endings.size() == random.world.accepted.size());
    }
}

TEST_CASE("when faults stop, the cluster serves again", "[orchestrator][property]") {
    for (std::uint64_t seed = 100; seed <= 105; ++seed) {
        INFO("seed " << seed);
        Random random(seed, config());
        for (int i = 0; i < 300; ++i)
            random.step();
        Harness& world = random.world;
        world.call([](OrchestratorCore& c, TimePoint now) {
            c.set_operator_limit({}, now);
            c.set_stake({}, true, now);
            c.store_available(true, now);
        });
        for (FakeTranscoder* t : random.transcoders) {
            t->manner = Manner{};
            t->capacity = {};
            t->slots = 3;
            t->restart();
            world.call([&](OrchestratorCore& c, TimePoint now) {
                (void)c.command(t->name, Command::uncordon, now);
            });
        }
        for (const UploadId upload : random.uploads)
            world.call([&](OrchestratorCore& c, TimePoint now) { c.abort_upload(upload, now); });
        world.run_for(31s);
        for (int i = 0; i < 9; ++i)
            REQUIRE(world.ending(world.accept("fresh" + std::to_string(i), 1)).ok());
        world.run_for(150s);
        REQUIRE(world.status().capacity.sessions_active == 0);  // no slot leaked on our side
        for (const FakeTranscoder* t : random.transcoders)
            REQUIRE(t->sessions.empty());  // nor on theirs
        REQUIRE(world.status().payload_bytes == 0);
    }
}

TEST_CASE("half of all attempts failing costs few dispatches beyond the segments",
          "[orchestrator][property]") {
    Harness world;
    FakeTranscoder& a = world.transcoder("a", 2);
    FakeTranscoder& b = world.transcoder("b", 2);
    Rng rng(3);
    std::size_t segments = 0;
    for (std::uint64_t seq = 1; seq <= 400; ++seq) {
        a.manner.fails_with = rng.chance(0.5) ? std::optional(ErrorKind::internal) : std::nullopt;
        b.manner.fails_with = rng.chance(0.5) ? std::optional(ErrorKind::internal) : std::nullopt;
        (void)world.ending(world.accept("s", seq));
        ++segments;
    }
    std::size_t dispatches = 0;
    for (const Effect& e : world.log)
        if (const auto* send = std::get_if<Send>(&e))
            dispatches += std::holds_alternative<Dispatch>(send->message) ? 1 : 0;
    CHECK(dispatches * 100 <= segments * 115);
}
