#pragma once
// TranscoderLink: where transcoders come in. Two ROUTER lanes (control and payload) behind CURVE
// and ZAP; decodes what arrives, moves segments and renditions in chunks under credit, and decides
// nothing: every control message goes to the events it was given, every effect of the core comes
// back as a call.
//
// Promises
// - A peer is its CURVE key (ZAP User-Id); routing ids never leave this file's .cpp.
// - Whatever a peer sends, the worst it can do here is to be ignored: undecodable or unexpected
// messages are
//   counted and dropped, renditions are received only for attempts that expect() announced, never
//   beyond the bytes that were announced as the most.
// - Nothing blocks: a peer that does not read loses its transfers, not our loop.
//
// Thread: orchestrator loop. Owner: main; it outlives nothing of the service's and is destroyed
// before the loop.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/domain/protocol.h"
#include "common/runtime/payload.h"

namespace millrace {
class Loop;
}
namespace millrace::net {
class Context;
class ZapHandler;
struct KeyPair;
}  // namespace millrace::net

namespace millrace::orchestrator {

// What the link tells; the service implements it.
class LinkEvents {
public:
    virtual ~LinkEvents() = default;
    // A message of a transcoder that is enrolled, over its own key.
    virtual void link_message(const TranscoderKey& from, const FromTranscoder& message) = 0;
    // Over a join token's enrolment key, whose public half is `enrolment_key`. Answer with
    // answer_enrol().
    virtual void link_enrol(const std::string& enrolment_key, const Enrol& request) = 0;
    // The control connection ended: a hint, the lease decides.
    virtual void link_lost(const TranscoderKey& key) = 0;
    virtual void link_payload_lane(const TranscoderKey& key, std::uint64_t nonce, bool up) = 0;
    virtual void link_progress(const TransferId& transfer, const TranscoderKey& with) = 0;
    virtual void link_rendition(const TransferId& transfer, const TranscoderKey& from,
                                std::uint64_t bytes, const Sha256& sha256) = 0;
    virtual void link_transfer_failed(const TransferId& transfer, const TranscoderKey& with,
                                      const Error& problem) = 0;
};

struct LinkOptions {
    std::string control_address;  // HOST:PORT, port 0 = any
    std::string payload_address;  // HOST:PORT; port 0 = any
    // Listening sockets bound to these addresses already; -1 = none.
    int control_fd = -1;
    int payload_fd = -1;
};

struct LinkCounters {
    std::uint64_t undecodable = 0;
    std::uint64_t unexpected = 0;      // chunks of transfers nobody expects
    std::uint64_t bytes_sent = 0;      // payload
    std::uint64_t bytes_received = 0;  // payload
    std::uint64_t send_would_block = 0;
    std::uint64_t send_gone = 0;
    std::uint64_t refused = 0;  // connections that the doorkeeper turned away, control lane
};

class TranscoderLink {
public:
    struct Parts {
        Loop& loop;
        const net::Context& context;
        const net::ZapHandler& doorkeeper;
        std::shared_ptr<BlockPool> pool;
    };

    TranscoderLink(Parts parts, Epoch epoch);
    ~TranscoderLink();
    TranscoderLink(const TranscoderLink&) = delete;
    TranscoderLink& operator=(const TranscoderLink&) = delete;

    // Who is told; before the loop runs. Bound lanes queue what arrives until then.
    void attach(LinkEvents& events);
    // Binds both lanes. The error names the flag's address that cannot be had.
    [[nodiscard]] Result<void> open(const LinkOptions& options, const net::KeyPair& key);
    [[nodiscard]] std::string control_endpoint() const;  // HOST:PORT as bound
    [[nodiscard]] std::string payload_endpoint() const;

    // False when the message could not be handed over (peer gone or not reading): it is lost, as on
    // any connection that breaks, and the leases find out.
    bool send(const TranscoderKey& to, const ToTranscoder& message);
    // Answers an Enrol; the connection it came over ends by itself when the transcoder reconnects.
    void answer_enrol(const std::string& enrolment_key, const TranscoderKey& key,
                      const ToTranscoder& answer);

    // Renditions of this attempt may come, each at most `bytes_max` long.
    void expect(const TranscoderKey& from, TaskId task, AttemptNo attempt, std::uint32_t renditions,
                std::uint64_t bytes_max);
    // As for expect(): its renditions may be that long after all.
    void allow(TaskId task, AttemptNo attempt, std::uint64_t bytes_max);
    void start_source(const TranscoderKey& to, const TransferId& transfer, PayloadPtr source,
                      const Sha256& sha256);
    // A source that still arrives: pieces in order, then the whole of it. A transfer that broke in between is
    // reported once it is finished.
    void start_early_source(const TranscoderKey& to, const TransferId& transfer);
    void append_source(const TranscoderKey& to, const TransferId& transfer, Slice piece);
    void finish_source(const TranscoderKey& to, const TransferId& transfer, const PayloadPtr& whole,
                       const Sha256& sha256);
    // Stops and forgets both directions of the attempt.
    void drop(const TranscoderKey& at, TaskId task, AttemptNo attempt);
    // The received renditions by ladder index (null where none came); the attempt is forgotten.
    [[nodiscard]] std::vector<PayloadPtr> take_renditions(TaskId task, AttemptNo attempt);

    // The key may no longer speak: its routes and transfers are dropped at once.
    void forget(const TranscoderKey& key);

    [[nodiscard]] LinkCounters counters() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::orchestrator
