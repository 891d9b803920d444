#include "tests/sim/world.h"

#include <algorithm>
#include <chrono>

namespace millrace::sim {

namespace {

constexpr Duration kReadyWithin = seconds(10);  // after healing
constexpr Duration kStrictAfter = seconds(15);  // after healing: nothing fails any more
constexpr Duration kEndedWithin = seconds(30);  // after the last push

}  // namespace

World::World(const Options& options, bool print_trace)
    : context_(options, print_trace), network_(context_, *this) {
    for (unsigned o = 0; o < options.orchestrators; ++o)
        orchestrators_.push_back(std::make_unique<OrchestratorNode>(context_, network_, o));
    for (unsigned t = 0; t < options.transcoders; ++t)
        transcoders_.push_back(std::make_unique<TranscoderNode>(
            context_, network_, t,
            options.slots_min + static_cast<unsigned>(context_.rng.below(options.slots_max -
                                                                         options.slots_min + 1))));
    for (unsigned b = 0; b < options.broadcasters; ++b)
        broadcasters_.push_back(
            std::make_unique<Broadcaster>(context_, *orchestrators_[b % options.orchestrators], b));
}

World::~World() = default;

Summary World::run() {
    for (const auto& node : orchestrators_)
        node->boot();
    for (const auto& node : transcoders_)
        context_.queue.in(context_.between(Duration{0}, seconds(2)),
                          [n = node.get()] { n->boot(); });
    for (const auto& broadcaster : broadcasters_)
        broadcaster->start();
    next_fault();
    run_until(context_.options.faults_end());
    heal();
    run_until(context_.calm_since + kReadyWithin);
    check_all_ready();
    run_until(context_.options.pushes_end());
    check_progress();
    for (const auto& broadcaster : broadcasters_)
        broadcaster->stop();
    run_until(context_.now() + kEndedWithin);
    check_ended();
    run_until(context_.options.end());

    Summary summary{context_.queue.events(), faults_, context_.trace.hash(), {}};
    for (const auto& node : orchestrators_) {
        const Tally& t = node->tally();
        Tally& s = summary.tally;
        s.accepted += t.accepted;
        s.delivered += t.delivered;
        s.failed += t.failed;
        s.replayed += t.replayed;
        s.refused += t.refused;
        s.retries += t.retries;
        s.stale += t.stale;
        s.starts += t.starts;
    }
    return summary;
}

void World::run_until(TimePoint until) {
    while (context_.queue.step(until)) {
    }
}

// ---- the network's questions

bool World::transcoder_runs(unsigned t) const {
    return transcoders_[t]->runs();
}
bool World::orchestrator_runs(unsigned o) const {
    return orchestrators_[o]->runs();
}
void World::transcoder_connected(Path path) {
    transcoders_[path.transcoder]->connected(path);
}
void World::transcoder_lost(Path path) {
    transcoders_[path.transcoder]->lost(path);
}
void World::to_transcoder(Path path, const Frame& frame) {
    transcoders_[path.transcoder]->receive(path, frame);
}
void World::to_orchestrator(Path path, ConnectionId connection, const Frame& frame) {
    orchestrators_[path.orchestrator]->receive(path, connection, frame);
}
void World::orchestrator_closed(Path path, ConnectionId connection) {
    orchestrators_[path.orchestrator]->closed(path, connection);
}

void World::heal() {
    context_.calm = true;
    context_.calm_since = context_.now();
    context_.room_for_all = enough_slots();
    context_.note('w', 0, "calm");
    using Command = orchestrator::OrchestratorCore::TranscoderCommand;
    for (const auto& o : orchestrators_) {
        // One that is shutting down would be restarted by its supervisor.
        if (o->alive() && o->shutting_down())
            o->kill();
        if (!o->alive())
            o->boot();
        o->resume();
        o->store().set_slow(Duration{0});
        o->store_available(true);
        o->set_operator_limit(std::nullopt);
        o->set_stake(std::nullopt, true);
        for (unsigned t = 0; t < transcoders_.size(); ++t) {
            // One that is away has no name to be called by, and may come back cordoned as it left.
            for (const auto after : {seconds(0), seconds(4)})
                context_.queue.in(
                    after, [&o, t] { o->command("mill-" + std::to_string(t), Command::uncordon); });
            o->readmit(transcoders_[t]->key());
            network_.block(t, o->index(), false, false);
        }
    }
    for (const auto& t : transcoders_) {
        // One that is draining would be gone for good: supervisors restart it.
        if (t->alive() && t->status().draining)
            t->kill();
        if (!t->alive())
            t->boot();
        t->resume();
        t->mood = {};
    }
    network_.runs_changed();
}

// ---- what must hold in the calm

bool World::enough_slots() const {
    unsigned slots = 0;
    for (const auto& t : transcoders_)
        slots += t->slots();
    return slots >= broadcasters_.size();
}

void World::check_all_ready() {
    for (const auto& t : transcoders_) {
        if (!t->ready())
            throw Violation("transcoder " + std::to_string(t->index()) +
                            " is not joined 10 s after all faults ended");
    }
    for (const auto& o : orchestrators_) {
        std::size_t ready = 0;
        for (const auto& transcoder : o->status().transcoders)
            ready += transcoder.state == "ready" || transcoder.state == "quarantined" ? 1 : 0;
        if (ready != transcoders_.size())
            throw Violation("orchestrator " + std::to_string(o->index()) + " counts " +
                            std::to_string(ready) + " of " + std::to_string(transcoders_.size()) +
                            " transcoders 10 s after all faults ended");
    }
}

void World::check_progress() const {
    if (!enough_slots())
        return;
    for (std::size_t b = 0; b < broadcasters_.size(); ++b)
        if (broadcasters_[b]->answered_since_calm() == 0)
            throw Violation("broadcaster " + std::to_string(b) +
                            " got no answer since all faults ended");
}

void World::check_ended() {
    for (const auto& b : broadcasters_)
        if (b->waiting() != 0)
            throw Violation("uploads are unanswered 30 s after the last push");
    for (const auto& o : orchestrators_)
        if (const std::string left = o->leftovers(); !left.empty())
            throw Violation("orchestrator " + std::to_string(o->index()) +
                            " still holds 30 s after the last push:" + left);
    for (const auto& t : transcoders_) {
        const auto status = t->status();
        if (status.slots_reserved != 0 || status.tasks_active != 0 || status.tasks_waiting != 0)
            throw Violation("transcoder " + std::to_string(t->index()) +
                            " still holds slots or tasks 30 s after the last push");
    }
}

}  // namespace millrace::sim
