#pragma once
// OrchestratorLink: the two lanes to one orchestrator. Opens and closes them as the core says,
// turns bytes into messages and back, moves segments in and renditions out in chunks under credit,
// and decides nothing.
//
// Promises
// - Whatever the orchestrator sends, the worst it can do here is to be ignored: what cannot be
//   decoded, or belongs to nothing, is counted and dropped.
// - Sends never block. What is lost on the way is found by heartbeats and deadlines.
// - A payload is copied once on its way in, into pooled blocks, and never on its way out.
// - No event comes from within open_control, open_payload, close, send_control or send_payload.
//   expect_source, add_rendition and complete_renditions may tell at once what they lead to.
//
// Thread: loop. Owner: the transcoder's service, one per orchestrator.

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/domain/protocol.h"
#include "common/domain/segment_limits.h"
#include "common/net/context.h"
#include "common/net/keys.h"
#include "common/runtime/loop.h"
#include "common/runtime/payload.h"
#include "transcoder/core/transcoder_core.h"
#include "transcoder/link/credentials.h"

namespace millrace::transcoder {

// What a link tells; the service implements it.
class LinkEvents {
public:
    virtual ~LinkEvents() = default;
    virtual void link_event(OrchestratorIndex from, LaneEvent event) = 0;
    virtual void link_control(OrchestratorIndex from, const FromOrchestrator& message) = 0;
    virtual void link_payload(OrchestratorIndex from, const PayloadEnvelope& message) = 0;
    // Bytes of its source are here: take_source() has them.
    virtual void link_source_arrived(TaskRef task) = 0;
    // All of it is here and is what was dispatched; `rest` is what was not taken.
    virtual void link_source(TaskRef task, PayloadPtr rest, const Sha256& sha256) = 0;
    virtual void link_source_broken(TaskRef task, const Error& problem) = 0;
    virtual void link_renditions_sent(TaskRef task) = 0;
};

struct LinkCounters {
    std::uint64_t undecodable = 0;
    std::uint64_t ignored = 0;     // of a later minor
    std::uint64_t unexpected = 0;  // chunks and credit of nothing we know
    std::uint64_t would_block = 0;
    std::uint64_t gone = 0;  // messages there was no lane for
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_sent = 0;
};

class OrchestratorLink {
public:
    struct Parts {
        Loop& loop;
        const net::Context& context;
        const net::KeyPair& own;
        std::shared_ptr<BlockPool> pool;
        LinkEvents& events;
        std::uint64_t source_bytes_max = SegmentLimits{}.body_bytes;
    };

    // `address`: HOST:PORT of the control lane.
    OrchestratorLink(Parts parts, OrchestratorIndex which, std::string address,
                     Credentials credentials);
    ~OrchestratorLink();
    OrchestratorLink(const OrchestratorLink&) = delete;
    OrchestratorLink& operator=(const OrchestratorLink&) = delete;

    void open_control(bool enrolling);
    // `endpoint`: HOST:PORT; no host, or one that means "every address", is the control lane's.
    void open_payload(const std::string& endpoint);
    // What was sent may take up to a moment to leave.
    void close();

    void send_control(FromTranscoder message);
    void send_payload(const PayloadEnvelope& message);

    void expect_source(TaskRef task, const SegmentKey& segment, std::uint64_t bytes);
    // What has arrived since it was taken last; null if nothing.
    [[nodiscard]] PayloadPtr take_source(TaskRef task);
    // overloaded: more renditions are on their way than there are places.
    [[nodiscard]] Result<void> add_rendition(TaskRef task, std::uint32_t index, PayloadPtr payload,
                                             const Sha256& sha256);
    // All renditions of the task were added; link_renditions_sent follows.
    void complete_renditions(TaskRef task);
    void drop(TaskRef task);

    [[nodiscard]] const std::string& address() const;
    // The orchestrator we are enrolled with, or were in an earlier run.
    [[nodiscard]] std::optional<net::PublicKey> server() const;
    [[nodiscard]] const LinkCounters& counters() const;

private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

// Where a Welcome's payload endpoint really is, seen from a control lane at `control`.
[[nodiscard]] Result<std::string> payload_address(const std::string& control,
                                                  const std::string& endpoint);

}  // namespace millrace::transcoder
