#pragma once
// Front: the HTTP service that broadcasters and players touch (contract.md, section 4). With --auth none a
// push without a token is let in; a token that is shown has to be good.
//
// Thread: start, begin_drain, wait_drained and destruction by the owner; it serves on threads of its
// own. Owner: main. The port, the playback and the pool outlive it.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/http/server.h"
#include "orchestrator/front/auth_hook.h"
#include "orchestrator/front/context.h"
#include "orchestrator/front/ingest_port.h"
#include "orchestrator/front/init_parts.h"
#include "orchestrator/front/playback.h"

namespace millrace::orchestrator {

struct FrontConfig {
    http::ServerOptions server;  // address, limits, TLS, threads
    std::string public_url;      // empty = from the address as bound; a final slash is dropped
    std::uint64_t body_bytes_max = 32ULL << 20;  // of one segment
    std::size_t renditions_max = kRenditionsMax;
    AuthMode auth = AuthMode::none;
    HookOptions hook;                             // with --auth webhook
    std::shared_ptr<const AccountBook> accounts;  // with --auth accounts
    std::shared_ptr<const TokenRing> tokens;      // at least one key
    std::shared_ptr<const LiveStreams> streams;   // whose a stream is
    PlaybackAccess playback = PlaybackAccess::everybody;
    InitMemory init_memory = {};  // of initialisation parts; empty: a restart forgets them
    struct LeftInit {
        AccountId account;
        StreamName stream;
        InitPart bytes;
        Duration age;  // since it was used
    };
    std::vector<LeftInit> init_parts = {};  // from before this start, the latest first
    // Wall clock, for the life of tokens; empty = the system's.
    std::function<WallTime()> wall = nullptr;
};

class Front {
public:
    // bad_input: the address cannot be listened on; the message says why.
    [[nodiscard]] static Result<std::unique_ptr<Front>> start(FrontConfig config, IngestPort& port,
                                                              Playback& playback,
                                                              std::shared_ptr<BlockPool> pool);
    ~Front();
    Front(const Front&) = delete;
    Front& operator=(const Front&) = delete;

    [[nodiscard]] const std::string& local_endpoint() const;  // "127.0.0.1:8935"
    [[nodiscard]] const std::string& public_url() const;      // without a final slash

    // Stops accepting; uploads whose body has begun are carried through and answered.
    void begin_drain();
    [[nodiscard]] bool wait_drained(Duration limit);
    [[nodiscard]] http::ServerCounts counts() const;

private:
    struct Impl;
    explicit Front(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::orchestrator
