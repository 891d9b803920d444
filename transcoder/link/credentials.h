#pragma once
// Credentials: with which key to knock at which orchestrator.
//
// Over the token's key while enrolling, over our own key afterwards. Tokens name their orchestrator
// by its public key and not by its address, so which of several tokens belongs to an address is
// found by trying: a wrong one ends as "foreign", and the next one is tried. Callers put the most
// likely one first.
//
// Thread: loop. Owner: OrchestratorLink.

#include <optional>
#include <string>
#include <vector>

#include "common/net/join_token.h"
#include "common/net/keys.h"
#include "common/net/lane.h"

namespace millrace::transcoder {

class Credentials {
public:
    Credentials(std::optional<net::PublicKey> server, std::vector<net::JoinToken> tokens);

    // Which target to connect to. Nothing when there is no key for that.
    [[nodiscard]] std::optional<net::ClientLane::Target> target(const std::string& address,
                                                                const net::KeyPair& own,
                                                                bool enrolling) const;
    // The token in use was for another orchestrator: true when there is one more to try.
    [[nodiscard]] bool next_token();
    // Our own key met another orchestrator than the one we know, and there is a token for another.
    [[nodiscard]] bool another_server() const;
    // The token in use let us in: its orchestrator is the one at this address.
    void enrolled();

    [[nodiscard]] bool knows_server() const { return server_.has_value(); }
    [[nodiscard]] const std::optional<net::PublicKey>& server() const { return server_; }
    [[nodiscard]] bool has_token() const { return !tokens_.empty(); }
    [[nodiscard]] std::string token_id() const;
    [[nodiscard]] bool token_expired(WallTime now) const;

private:
    std::optional<net::PublicKey> server_;
    std::vector<net::JoinToken> tokens_;
    std::size_t current_ = 0;
};

}  // namespace millrace::transcoder
