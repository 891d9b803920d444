#pragma once
// What the parts of the front share. It is held by every request in progress, so that a callback
// that comes after the front has gone finds something to look at.
//
// Internal to orchestrator/front. Thread: any; immutable but for `closed`.

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "common/http/target.h"
#include "common/runtime/payload.h"
#include "orchestrator/access/account_book.h"
#include "orchestrator/access/live_streams.h"
#include "orchestrator/access/token_ring.h"
#include "orchestrator/front/ingest_port.h"

namespace millrace::orchestrator {

class HookDesk;
class InitParts;

// --auth: who may push.
enum class AuthMode : std::uint8_t { none, accounts, webhook };

// --playback: who may watch.
enum class PlaybackAccess : std::uint8_t { everybody, token, nobody };

struct FrontContext {
    IngestPort* port = nullptr;
    std::shared_ptr<BlockPool> pool;
    std::uint64_t body_bytes_max = 32ULL << 20;
    std::size_t renditions_max = kRenditionsMax;
    AuthMode auth = AuthMode::none;
    std::shared_ptr<const AccountBook> accounts;  // with --auth accounts
    HookDesk* hook = nullptr;                     // with --auth webhook; not after `closed`
    std::shared_ptr<const TokenRing> tokens;
    std::shared_ptr<const LiveStreams> streams;
    std::shared_ptr<InitParts> inits;  // of fragments; its own lock
    std::string public_url;            // without a final slash
    PlaybackAccess playback = PlaybackAccess::everybody;
    std::function<WallTime()> wall;
    std::atomic<bool> closed{false};  // the port is not to be called any more
};

// Where a stream is pushed to; segment names follow after a slash.
[[nodiscard]] inline std::string live_url(const FrontContext& context, const StreamName& stream) {
    return context.public_url + "/live/" + http::percent_encode(stream.value);
}

using FrontContextPtr = std::shared_ptr<const FrontContext>;

}  // namespace millrace::orchestrator
