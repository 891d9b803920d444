#pragma once
// Enrolment: who may join. Keeps the join tokens and the enrolled transcoders, and tells ZAP which keys to
// let in.
//
// Rules
// - A token's enrolment key passes ZAP until the token expires or is revoked; over it only Enrol is heard.
// - Enrol stores the transcoder's own key; from then on that key passes ZAP and needs no token.
// - A token made with `once` enrols one key. The same key may repeat its Enrol (the answer may have been lost).
// - Revoking a token keeps out whoever has not joined yet; those who have joined stay.
// - Nobody is told "enrolled" before the row is durable.
//
// Thread: orchestrator loop. Owner: main.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/domain/protocol.h"
#include "common/net/keys.h"
#include "orchestrator/store/store.h"

namespace millrace::net {
class ZapHandler;
}

namespace millrace::orchestrator {

struct JoinTokenInfo {
    std::string id;  // hex
    WallTime created_at;
    WallTime expires_at;  // ms 0 = never
    bool once = false;
    bool revoked = false;
    std::uint32_t enrolled = 0;  // transcoders that came with it
};

struct NewJoinToken {
    std::string token;  // the secret text, mrj1_...
    JoinTokenInfo info;
};

class Enrolment {
public:
    Enrolment(store::Store& store, net::ZapHandler& zap, net::PublicKey orchestrator);
    ~Enrolment();

    void restore(const std::vector<store::JoinTokenRow>& tokens,
                 const std::vector<store::EnrolmentRow>& enrolments);

    // A token for `ttl` (0 = for ever); given out once its row is durable.
    void create_token(Duration ttl, bool once, std::function<void(Result<NewJoinToken>)> done);
    [[nodiscard]] std::vector<JoinTokenInfo> tokens() const;
    // bad_input: no such token.
    void revoke_token(const std::string& id, std::function<void(Result<void>)> done);

    // Answers Enrolled or JoinRefused.
    void enrol(const std::string& enrolment_key, const Enrol& request,
               std::function<void(ToTranscoder)> answer);
    // The core settled on this name for the key: keep it for the next start.
    void renamed(const TranscoderKey& key, const std::string& name);
    // The first key it told to sign with: kept, too, and before any segment that is committed from here on.
    void keep_signer(const TranscoderKey& key, const SignerKey& signer);
    // An operator wants it to get no new sessions (or again some): kept for the next start.
    void keep_cordon(const TranscoderKey& key, bool cordoned);

private:
    struct Token {
        store::JoinTokenRow row;
        std::vector<TranscoderKey> enrolled;
    };

    struct Standing {
        std::string name;
        std::optional<SignerKey> signer;
        bool cordoned = false;
    };

    void save(const TranscoderKey& key, const Standing& standing);
    [[nodiscard]] std::optional<JoinRefused> refusal(const std::string& enrolment_key,
                                                     const Enrol& request) const;
    void admit(const Token& token);

    store::Store& store_;
    net::ZapHandler& zap_;
    net::PublicKey orchestrator_;
    std::map<std::string, Token> tokens_;  // by id
    std::map<TranscoderKey, Standing> enrolled_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace millrace::orchestrator
