#pragma once
// Everything the orchestrator can be told (contract.md, sections 1 and 2): flags, environment,
// file. Only what this version does: a flag that is not here is refused, never accepted and
// ignored.
//
// Thread: any; values.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/config/options.h"
#include "common/config/secret.h"
#include "common/config/stake_config.h"
#include "common/config/values.h"
#include "common/domain/account.h"
#include "common/domain/rendition.h"

namespace millrace::config {

enum class OrchestratorCommand : std::uint8_t {
    serve,
    status,
    sessions,
    transcoders,
    drain,
    cordon,
    uncordon,
    max_sessions,
    session_end,
    join_token_create,
    join_token_list,
    join_token_revoke,
    stake,
    account_add,
    account_list,
    account_remove,
    token_key_list,
    token_key_rotate,
    backup,
    ledger,
    ledger_close,
    ledger_periods,
    ledger_verify,
    trace,
    ledger_receipt,
};

enum class AuthKind : std::uint8_t { none, accounts, webhook };
struct AuthSetting {
    AuthKind kind = AuthKind::none;
    Secret webhook_url;  // its query may hold a secret
};

enum class PlaybackMode : std::uint8_t { public_, token, off };

// What a broadcaster may cost before it is refused.
struct HttpLimits {
    std::uint64_t body_bytes = 32ULL << 20;  // of one segment
    std::uint32_t renditions = 8;
    std::uint64_t header_bytes = 16ULL << 10;
    Duration header_time = std::chrono::seconds(5);  // from the first byte to the last header's
    Duration body_pause = std::chrono::seconds(10);  // the longest silence inside a body
    Duration body_time = std::chrono::minutes(10);   // for a whole body, however it dribbles
    std::uint32_t connections = 1024;
    std::uint32_t connections_per_address = 0;  // 0 = only bounded by `connections`
};

// A listening socket that the service manager has bound; it counts instead of the address's flag.
struct HandedSocket {
    int fd = -1;
    HostPort address;  // as bound
};
struct HandedSockets {
    std::optional<HandedSocket> service, link, payload;
};

// One segment as `ledger receipt` is asked for it: SESSION/RUN/SEQ.
struct LedgerSegment {
    std::string session;
    std::uint32_t run = 0;
    std::uint64_t seq = 0;
};

// What `ledger` and its kin are asked. Times stay as they were written: the orchestrator's clock counts.
struct LedgerQuestion {
    std::string by = "transcoder";  // transcoder, account, session
    std::string since;
    std::string until;
    std::uint64_t period = 0;  // 0 = none asked for
    bool csv = false;
    std::vector<std::string> heads;  // hex
    LedgerSegment segment;
};

struct OrchestratorConfig {
    OrchestratorCommand command = OrchestratorCommand::serve;

    // serve
    HostPort service_addr{"127.0.0.1", 8935};
    std::string public_url;  // without a final slash; empty = from the service address as bound
    HostPort link_addr{"127.0.0.1", 8936};
    HostPort payload_addr;  // as given, else link host and link port + 1 (0 when that is 0)
    HandedSockets handed;
    std::string tls_cert;     // PEM file; empty = plain HTTP
    std::string tls_key;      // PEM file; given when tls_cert is
    std::string link_public;  // host that workers use; as given, else the link host
    HostPort admin_addr{"127.0.0.1", 7935};
    bool admin_addr_given =
        false;  // else a subcommand may look into <data-dir>/endpoints.json first
    std::string data_dir;
    CountOrAuto
        max_sessions;  // nothing = no limit of its own; for serve and the max-sessions command
    std::uint32_t local_transcoder = 0;  // slots
    Ladder ladder;
    AuthSetting auth;
    std::string webhook_ca;                         // empty = the system's certificates
    PlaybackMode playback = PlaybackMode::public_;  // when not given: token beyond loopback
    bool cut_through = true;
    std::uint64_t keep_bytes = 1ULL << 30;
    std::uint32_t playlist_segments = 6;  // 0 = all
    bool livepeer_metrics = false;
    HttpLimits limits;
    StakeConfig stake;
    LogOptions log;

    // subcommands
    bool json = false;
    Secret admin_token;  // empty = the one in data_dir
    std::string
        target;  // NAME of drain, cordon, uncordon; ID of session end and join-token revoke; FILE of backup
    std::uint64_t seq = 0;  // with the session in `target`: SESSION/SEQ of trace
    Duration token_ttl = std::chrono::hours(24);  // 0 = for ever
    bool token_once = false;
    LedgerQuestion ledger;
    std::vector<std::string> account_streams;  // names and prefixes
    std::optional<std::uint64_t> account_segments;
    std::optional<std::uint64_t> account_bytes;
    std::optional<std::uint64_t> account_pixels;

    // Of account add.
    [[nodiscard]] AccountLimits account_limits() const {
        return {max_sessions, account_segments, account_bytes, account_pixels};
    }
};

[[nodiscard]] Setup<OrchestratorConfig> read_orchestrator_config(const Invocation& invocation,
                                                                 HandedSockets handed = {});

// The flags of the orchestrator, so that a shared environment is not a mistake for the transcoder.
[[nodiscard]] std::vector<std::string> orchestrator_flag_names();

}  // namespace millrace::config
