#pragma once
// One simulated cluster: orchestrators, transcoders, broadcasters, a network, and trouble. Run it and it either
// comes to its end with every promise kept, or throws a Violation.
//
// Course of a run: faults until Options::faults_end(); then all are healed, and from 15 s on nothing may fail;
// pushing ends at pushes_end(); then everything must end and every slot be free.

#include <memory>
#include <string>
#include <vector>

#include "tests/sim/broadcaster.h"
#include "tests/sim/network.h"
#include "tests/sim/orchestrator_node.h"
#include "tests/sim/transcoder_node.h"

namespace millrace::sim {

struct Summary {
    std::uint64_t events = 0;
    std::uint64_t faults = 0;
    std::uint64_t trace_hash = 0;
    Tally tally;
};

class World final : private NetworkHost {
public:
    World(const Options& options, bool print_trace);
    ~World() override;

    Summary run();  // throws Violation
    [[nodiscard]] const Trace& trace() const { return context_.trace; }

private:
    // NetworkHost
    [[nodiscard]] bool transcoder_runs(unsigned transcoder) const override;
    [[nodiscard]] bool orchestrator_runs(unsigned orchestrator) const override;
    void transcoder_connected(Path path) override;
    void transcoder_lost(Path path) override;
    void to_transcoder(Path path, const Frame& frame) override;
    void to_orchestrator(Path path, ConnectionId connection, const Frame& frame) override;
    void orchestrator_closed(Path path, ConnectionId connection) override;

    void run_until(TimePoint until);
    void next_fault();
    void storm();
    void single_fault();
    void crash_transcoder(TranscoderNode& node);
    void crash_orchestrator(OrchestratorNode& node);
    void restart_orchestrator(OrchestratorNode& node);
    void pause(Node& node, Duration time);
    void partition(unsigned transcoder, unsigned orchestrator);
    void upset_engines(TranscoderNode& node, Duration time);
    void flap(TranscoderNode& node);
    void trouble_store(OrchestratorNode& node);
    void operate(OrchestratorNode& node);
    void drain(TranscoderNode& node);
    void watch_exit(TranscoderNode& node);
    void heal();
    [[nodiscard]] bool enough_slots() const;
    void check_all_ready();
    void check_progress() const;
    void check_ended();
    template <class Undo>
    void undo_later(Duration time, Undo undo);

    Context context_;
    Network network_;
    std::vector<std::unique_ptr<OrchestratorNode>> orchestrators_;
    std::vector<std::unique_ptr<TranscoderNode>> transcoders_;
    std::vector<std::unique_ptr<Broadcaster>> broadcasters_;
    std::uint64_t faults_ = 0;
};

}  // namespace millrace::sim
