// What goes wrong in a simulated cluster, and how each fault is undone.

#include "tests/sim/world.h"

namespace millrace::sim {

void World::next_fault() {
    if (context_.options.fault_every == Duration{0})
        return;
    const bool single = context_.options.single_faults;
    const Duration wait =
        single ? context_.options.fault_every : context_.around(context_.options.fault_every);
    context_.queue.in(wait, [this, single] {
        if (context_.calm)
            return;
        ++faults_;
        single ? single_fault() : storm();
        next_fault();
    });
}

// After the calm has begun everything is healed at once anyway.
template <class Undo>
void World::undo_later(Duration time, Undo undo) {
    context_.queue.in(time, [this, undo] {
        if (!context_.calm)
            undo();
    });
}

void World::single_fault() {
    TranscoderNode& t = *transcoders_[context_.rng.below(transcoders_.size())];
    switch (context_.rng.below(8)) {
        case 0:
            return crash_transcoder(t);
        case 1:
            return pause(t, context_.between(milliseconds(100), seconds(8)));
        case 2:
            return partition(t.index(), 0);
        case 3:
            return network_.cut({t.index(), 0, Lane::control});
        case 4:
            return network_.cut({t.index(), 0, Lane::payload});
        case 5:
        case 6:
            return upset_engines(t, seconds(8));
        default:
            return drain(t);
    }
}

void World::storm() {
    TranscoderNode& t = *transcoders_[context_.rng.below(transcoders_.size())];
    OrchestratorNode& o = *orchestrators_[context_.rng.below(orchestrators_.size())];
    switch (context_.rng.below(16)) {
        case 0:
        case 1:
            return crash_transcoder(t);
        case 2:
            return context_.rng.chance(0.7) ? crash_orchestrator(o) : restart_orchestrator(o);
        case 3:
        case 4:
            return pause(t, context_.between(milliseconds(100), seconds(8)));
        case 5:
            return pause(o, context_.between(milliseconds(100), seconds(5)));
        case 6:
        case 7:
            return partition(t.index(), o.index());
        case 8:
            return network_.cut({t.index(), o.index(), Lane::control});
        case 9:
            return network_.cut({t.index(), o.index(), Lane::payload});
        case 10:
        case 11:
            return upset_engines(t, context_.between(seconds(2), seconds(20)));
        case 12:
            return flap(t);
        case 13:
            return trouble_store(o);
        case 14:
            return operate(o);
        default:
            return drain(t);
    }
}

void World::crash_transcoder(TranscoderNode& node) {
    if (!node.alive())
        return;
    node.kill();
    network_.runs_changed();
    undo_later(context_.between(milliseconds(300), seconds(10)), [this, &node] {
        if (!node.alive())
            node.boot();
        network_.runs_changed();
    });
}

void World::crash_orchestrator(OrchestratorNode& node) {
    if (!node.alive())
        return;
    node.kill();
    undo_later(context_.between(milliseconds(300), seconds(6)), [&node] {
        if (!node.alive())
            node.boot();
    });
}

// As an operator does it: what was accepted is carried through first.
void World::restart_orchestrator(OrchestratorNode& node) {
    if (!node.runs())
        return;
    node.begin_shutdown();
    undo_later(context_.between(seconds(1), seconds(31)), [this, &node] {
        if (node.alive())
            node.kill();
        undo_later(seconds(1), [&node] {
            if (!node.alive())
                node.boot();
        });
    });
}

void World::pause(Node& node, Duration time) {
    if (!node.runs())
        return;
    context_.note('w', node.index(), "pause", static_cast<std::uint64_t>(to_ms(time)));
    node.pause();
    network_.runs_changed();
    undo_later(time, [this, &node] {
        context_.note('w', node.index(), "resume");
        node.resume();
        network_.runs_changed();
    });
}

void World::partition(unsigned transcoder, unsigned orchestrator) {
    const auto way = context_.rng.below(3);
    context_.note('w', transcoder, "block", way);
    network_.block(transcoder, orchestrator, way != 1, way != 2);
    undo_later(context_.between(milliseconds(200), seconds(9)), [=, this] {
        context_.note('w', transcoder, "unblock");
        network_.block(transcoder, orchestrator, false, false);
    });
}

void World::upset_engines(TranscoderNode& node, Duration time) {
    EngineMood mood;
    switch (context_.rng.below(5)) {
        case 4:
            mood.lie_chance = 0.5;
            break;
        case 0:
            mood.slow = 1 + static_cast<double>(context_.rng.below(10));
            break;
        case 1:
            mood.fail_chance = 0.5;
            break;
        case 2:
            mood.crash_chance = 0.3;
            break;
        default:
            mood.hang_chance = 0.3;
            break;
    }
    node.mood = mood;
    undo_later(time, [&node] { node.mood = {}; });
}

void World::flap(TranscoderNode& node) {
    const unsigned before = node.slots();
    node.set_slots(1 + static_cast<unsigned>(context_.rng.below(context_.options.slots_max)));
    undo_later(context_.between(milliseconds(100), seconds(5)),
               [&node, before] { node.set_slots(before); });
}

void World::trouble_store(OrchestratorNode& node) {
    if (context_.rng.chance(0.5)) {
        node.store().set_slow(context_.between(milliseconds(50), seconds(2)));
        undo_later(seconds(5), [&node] { node.store().set_slow(Duration{0}); });
    } else {
        node.store_available(false);
        undo_later(context_.between(seconds(1), seconds(5)),
                   [&node] { node.store_available(true); });
    }
}

void World::operate(OrchestratorNode& node) {
    using Command = orchestrator::OrchestratorCore::TranscoderCommand;
    const TranscoderNode& t = *transcoders_[context_.rng.below(transcoders_.size())];
    const std::string name = "mill-" + std::to_string(t.index());
    const Duration time = context_.between(seconds(1), seconds(8));
    switch (context_.rng.below(4)) {
        case 0:
            node.set_operator_limit(static_cast<std::uint32_t>(context_.rng.below(4)));
            return undo_later(time, [&node] { node.set_operator_limit(std::nullopt); });
        case 1:
            node.set_stake(static_cast<std::uint32_t>(context_.rng.below(4)),
                           context_.rng.chance(0.7));
            return undo_later(time, [&node] { node.set_stake(std::nullopt, true); });
        case 2:
            node.revoke(t.key());
            return undo_later(time, [&node, key = t.key()] { node.readmit(key); });
        default:
            node.command(name, Command::cordon);
            return undo_later(time, [&node, name] { node.command(name, Command::uncordon); });
    }
}

void World::drain(TranscoderNode& node) {
    if (!node.runs())
        return;
    node.drain();
    watch_exit(node);
}

// A supervisor starts it again.
void World::watch_exit(TranscoderNode& node) {
    undo_later(seconds(2), [this, &node] {
        if (node.alive())
            return watch_exit(node);
        node.boot();
        network_.runs_changed();
    });
}

}  // namespace millrace::sim
