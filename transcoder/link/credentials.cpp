#include "transcoder/link/credentials.h"

#include <algorithm>
#include <utility>

namespace millrace::transcoder {

Credentials::Credentials(std::optional<net::PublicKey> server, std::vector<net::JoinToken> tokens)
    : server_(std::move(server)), tokens_(std::move(tokens)) {
    // A token of the orchestrator we know at this address is the right one.
    std::stable_partition(tokens_.begin(), tokens_.end(), [&](const net::JoinToken& token) {
        return server_ && token.orchestrator == *server_;
    });
}

std::optional<net::ClientLane::Target> Credentials::target(const std::string& address,
                                                           const net::KeyPair& own,
                                                           bool enrolling) const {
    if (enrolling) {
        if (tokens_.empty())
            return std::nullopt;
        const net::JoinToken& token = tokens_[current_];
        return net::ClientLane::Target{address, token.orchestrator,
                                       net::key_pair_of(token.enrolment)};
    }
    if (!server_)
        return std::nullopt;
    return net::ClientLane::Target{address, *server_, own};
}

bool Credentials::next_token() {
    if (current_ + 1 >= tokens_.size())
        return false;
    ++current_;
    return true;
}

bool Credentials::another_server() const {
    return std::any_of(tokens_.begin(), tokens_.end(), [&](const net::JoinToken& token) {
        return !server_ || token.orchestrator != *server_;
    });
}

void Credentials::enrolled() {
    if (!tokens_.empty())
        server_ = tokens_[current_].orchestrator;
}

std::string Credentials::token_id() const {
    return tokens_.empty() ? std::string{} : tokens_[current_].id_hex();
}

bool Credentials::token_expired(WallTime now) const {
    return !tokens_.empty() && tokens_[current_].expired(now);
}

}  // namespace millrace::transcoder
