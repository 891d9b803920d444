#pragma once
// The store as a model: operations are done in order, each takes time, what is done survives a crash of the
// process and what is not does not. It outlives its orchestrator's lives.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <tuple>

#include "common/base/result.h"
#include "orchestrator/core/orchestrator_core.h"
#include "tests/sim/context.h"

namespace millrace::sim {

class StoreModel {
public:
    explicit StoreModel(Context& context) : context_(context) {}

    // Counts the start and gives the epoch of it. What was not done yet is lost.
    Epoch open();

    void commit(const orchestrator::Commit& commit, std::function<void(const Result<void>&)> done);
    void save(const orchestrator::PersistSession& session);

    // From now on everything fails, or takes this much longer. Faults.
    void set_failing(bool failing) { failing_ = failing; }
    void set_slow(Duration more) { slow_ = more; }

    [[nodiscard]] std::vector<orchestrator::RestoredSession> sessions() const;
    [[nodiscard]] bool booked(const SegmentKey& segment) const;
    [[nodiscard]] std::size_t rows() const { return booked_.size(); }

private:
    using Number = std::tuple<SessionId, std::uint32_t, std::uint64_t>;

    void later(std::function<void()> apply);

    Context& context_;
    Epoch epoch_;
    bool failing_ = false;
    Duration slow_{0};
    TimePoint last_;  // one writer: operations end in order
    std::map<SessionId, orchestrator::PersistSession> sessions_;
    struct Row {
        Sha256 sha256{};
        Epoch epoch;
    };
    std::map<Number, Row> numbers_;  // the first under each
    std::set<SegmentKey> booked_;
};

}  // namespace millrace::sim
