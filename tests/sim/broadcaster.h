#pragma once
// A model broadcaster: pushes segments at the pace of its video, sends a segment again when the connection
// broke or the answer says "later", and now and then plays a prank: repeats, other bytes under the same number,
// a restarted source, a cut body, an ended session, a pause.

#include <cstdint>
#include <map>
#include <optional>

#include "tests/sim/orchestrator_node.h"

namespace millrace::sim {

class Broadcaster {
public:
    Broadcaster(Context& context, OrchestratorNode& orchestrator, unsigned index);

    void start();
    // Ends its sessions and expects every reply by now.
    void stop();

    [[nodiscard]] std::uint64_t answered_since_calm() const { return calm_answers_; }
    [[nodiscard]] std::uint64_t waiting() const { return outstanding_; }
    [[nodiscard]] bool prankster() const { return prankster_; }

private:
    struct Segment {
        std::uint64_t seq = 0;
        BlobPtr blob;
        TimePoint made;
    };
    struct Seen {
        SegmentKey segment;
        std::uint64_t content = 0;
        std::uint64_t starts = 0;  // of the orchestrator, by then
        TimePoint at;
    };

    void tick();
    void prank();
    void push(const Segment& segment, bool cut_short = false);
    void replied(const Segment& segment, const Reply& reply);
    void answered(const Segment& segment, const Answered& answer);
    void refused(const Segment& segment, const orchestrator::Refusal& refusal);
    void again(const Segment& segment, Duration in);
    [[nodiscard]] BlobPtr make_blob();
    [[noreturn]] void violated(const std::string& what) const;

    Context& context_;
    OrchestratorNode& orchestrator_;
    unsigned index_;
    StreamName stream_;
    Duration pace_;
    bool prankster_;
    std::optional<Ladder> ladder_;  // its own, else the orchestrator's default
    bool stopped_ = false;
    std::uint64_t next_seq_ = 0;
    std::uint64_t blobs_ = 0;
    std::uint64_t outstanding_ = 0;
    std::uint64_t calm_answers_ = 0;
    std::optional<Segment> last_;
    std::map<Sha256, Seen> seen_;
};

}  // namespace millrace::sim
