#include "orchestrator/link/enrolment.h"

#include <algorithm>
#include <chrono>

#include "common/net/join_token.h"
#include "common/net/zap.h"
#include "common/runtime/log.h"
#include "common/runtime/wall_clock.h"

namespace millrace::orchestrator {
namespace {

constexpr std::size_t kTokensMax = 4096;
constexpr std::size_t kNameCharsMax = 64;

bool is_over(const store::JoinTokenRow& row, WallTime now) {
    return row.expires_at.ms != 0 && row.expires_at <= now;
}

// What a worker may call itself: it shows in metrics, logs and tables.
std::string tidy_name(const std::string& wished) {
    std::string name;
    for (const char c : wished.substr(0, kNameCharsMax)) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
        name.push_back(plain ? c : '-');
    }
    return name.empty() ? "transcoder" : name;
}

}  // namespace

Enrolment::Enrolment(store::Store& store, net::ZapHandler& zap, net::PublicKey orchestrator)
    : store_(store), zap_(zap), orchestrator_(orchestrator) {}

Enrolment::~Enrolment() {
    *alive_ = false;
}

void Enrolment::restore(const std::vector<store::JoinTokenRow>& tokens,
                        const std::vector<store::EnrolmentRow>& enrolments) {
    for (const store::JoinTokenRow& row : tokens) {
        Token& token = tokens_[row.id];
        token.row = row;
        if (!row.revoked)
            admit(token);
    }
    for (const store::EnrolmentRow& row : enrolments) {
        if (row.revoked)
            continue;
        enrolled_[row.key] = {row.name, row.signer, row.cordoned};
        if (const auto token = tokens_.find(row.token_id); token != tokens_.end())
            token->second.enrolled.push_back(row.key);
        if (const auto key = net::public_key_from_z85(row.key.value))
            zap_.allow(*key, {true, row.token_id, 0});
    }
    zap_.open();
}

void Enrolment::admit(const Token& token) {
    if (const auto key = net::public_key_from_z85(token.row.enrolment_key))
        zap_.allow(*key, {false, token.row.id,
                          static_cast<std::uint64_t>((token.row.expires_at.ms + 999) / 1000)});
}

void Enrolment::create_token(Duration ttl, bool once,
                             std::function<void(Result<NewJoinToken>)> done) {
    if (tokens_.size() >= kTokensMax)
        return done(error(ErrorKind::overloaded,
                          "there are too many join tokens: revoke or wait out some"));
    const WallTime now = wall_now();
    const std::int64_t expires_ms = ttl == Duration::zero() ? 0 : now.ms + to_ms(ttl);
    const auto made =
        net::make_join_token(orchestrator_, static_cast<std::uint64_t>((expires_ms + 999) / 1000));
    Token token;
    token.row = {made.id_hex(), net::key_pair_of(made.enrolment).public_key.z85(),
                 now,           {expires_ms},
                 once,          false};
    store_.save_join_token(token.row, [this, alive = alive_, token, text = net::encode(made),
                                       done = std::move(done)](const Result<void>& saved) {
        if (!saved)
            return done(saved.error());
        if (!*alive)
            return;
        tokens_[token.row.id] = token;
        admit(token);
        done(NewJoinToken{
            text.reveal(),
            {token.row.id, token.row.created_at, token.row.expires_at, token.row.once, false, 0}});
    });
}

std::vector<JoinTokenInfo> Enrolment::tokens() const {
    std::vector<JoinTokenInfo> list;
    for (const auto& [id, token] : tokens_)
        list.push_back({id, token.row.created_at, token.row.expires_at, token.row.once,
                        token.row.revoked, static_cast<std::uint32_t>(token.enrolled.size())});
    return list;
}

void Enrolment::revoke_token(const std::string& id, std::function<void(Result<void>)> done) {
    const auto found = tokens_.find(id);
    if (found == tokens_.end())
        return done(error(ErrorKind::bad_input, "there is no join token with the id " + id));
    // Kept out from this moment on, also if the row cannot be written now.
    found->second.row.revoked = true;
    if (const auto key = net::public_key_from_z85(found->second.row.enrolment_key))
        zap_.forget(*key);
    store_.save_join_token(found->second.row,
                           [done = std::move(done)](const Result<void>& saved) { done(saved); });
}

std::optional<JoinRefused> Enrolment::refusal(const std::string& enrolment_key,
                                              const Enrol& request) const {
    const auto found = tokens_.find(request.token_id);
    if (found == tokens_.end() || found->second.row.enrolment_key != enrolment_key)
        return JoinRefused{JoinRefusal::refused, "the join token is unknown here"};
    const Token& token = found->second;
    if (token.row.revoked)
        return JoinRefused{JoinRefusal::refused, "the join token was revoked"};
    if (is_over(token.row, wall_now()))
        return JoinRefused{JoinRefusal::expired, "the join token has expired"};
    const bool again = std::find(token.enrolled.begin(), token.enrolled.end(), request.key) !=
                       token.enrolled.end();
    if (token.row.once && !token.enrolled.empty() && !again)
        return JoinRefused{JoinRefusal::refused,
                           "the join token was for one transcoder and is used up"};
    return std::nullopt;
}

void Enrolment::enrol(const std::string& enrolment_key, const Enrol& request,
                      std::function<void(ToTranscoder)> answer) {
    if (auto no = refusal(enrolment_key, request)) {
        log::warn("link", "enrolment refused",
                  {{"reason", no->detail}, {"token", request.token_id}});
        return answer(*no);
    }
    const auto key = net::public_key_from_z85(request.key.value);
    if (!key)
        return answer(JoinRefused{JoinRefusal::malformed, "the transcoder's key is malformed"});
    Token& token = tokens_.at(request.token_id);
    // A `once` token is taken at the request, so that two at the same moment cannot both pass.
    if (std::find(token.enrolled.begin(), token.enrolled.end(), request.key) ==
        token.enrolled.end())
        token.enrolled.push_back(request.key);
    const store::EnrolmentRow row{request.key, tidy_name(request.name), token.row.id, wall_now(),
                                  false};
    store_.save_enrolment(row, [this, alive = alive_, row, key = *key,
                                answer = std::move(answer)](const Result<void>& saved) {
        // Unsaved: say nothing, the transcoder asks again.
        if (!saved || !*alive)
            return;
        enrolled_[row.key].name = row.name;
        zap_.allow(key, {true, row.token_id, 0});
        log::info("link", "transcoder enrolled", {{"name", row.name}, {"token", row.token_id}});
        answer(Enrolled{row.name});
    });
}

void Enrolment::renamed(const TranscoderKey& key, const std::string& name) {
    const auto found = enrolled_.find(key);
    if (found == enrolled_.end() || found->second.name == name)
        return;
    found->second.name = name;
    save(key, found->second);
}

void Enrolment::keep_signer(const TranscoderKey& key, const SignerKey& signer) {
    const auto found = enrolled_.find(key);
    if (found == enrolled_.end() || found->second.signer)
        return;
    found->second.signer = signer;
    save(key, found->second);
}

void Enrolment::keep_cordon(const TranscoderKey& key, bool cordoned) {
    const auto found = enrolled_.find(key);
    if (found == enrolled_.end() || found->second.cordoned == cordoned)
        return;
    found->second.cordoned = cordoned;
    save(key, found->second);
}

void Enrolment::save(const TranscoderKey& key, const Standing& standing) {
    std::string token_id;
    for (const auto& [id, token] : tokens_)
        if (std::find(token.enrolled.begin(), token.enrolled.end(), key) != token.enrolled.end())
            token_id = id;
    store_.save_enrolment(
        {key, standing.name, token_id, wall_now(), false, standing.signer, standing.cordoned},
        [](const Result<void>&) {});
}

}  // namespace millrace::orchestrator
