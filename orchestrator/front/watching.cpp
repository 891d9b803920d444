#include "orchestrator/front/watching.h"

#include "orchestrator/front/credentials.h"

namespace millrace::orchestrator {
namespace {

using http::Problem;

Problem stranger() {
    return {ApiCode::forbidden, "the playback token is for another stream", {}};
}

}  // namespace

WatchVerdict may_watch(const http::Request& request, const StreamName& stream,
                       const FrontContext& context) {
    if (context.playback != PlaybackAccess::token)
        return std::string();
    const Shown shown = shown_by(request);
    if (shown.problem)
        return *shown.problem;
    if (!shown.text)
        return Problem{ApiCode::unauthorized, "watching this needs the token of playback_url", {}};
    const auto claims = read_playback_token(*context.tokens->keys(), *shown.text, context.wall());
    if (!claims)
        return Problem{ApiCode::unauthorized, claims.error().message, {}};
    const bool accounts = context.auth == AuthMode::accounts;
    if (accounts && !context.accounts->has(claims->account, claims->account_key))
        return Problem{ApiCode::unauthorized, "the account of this token was removed", {}};
    if (claims->stream != stream)
        return stranger();
    const auto owner = context.streams->owner(stream);
    if (!owner)
        return Problem{ApiCode::not_found, "no such playlist now", {}};
    if (*owner != claims->account)
        return stranger();  // the name has passed to another owner since
    return shown.in_query ? std::string(*shown.text) : std::string();
}

std::string watch_query(const StreamName& stream, const AccountId& account,
                        const std::string& account_key, const FrontContext& context) {
    if (context.playback != PlaybackAccess::token)
        return {};
    PlaybackClaims claims{stream, account, account_key, context.wall()};
    claims.expires_at.ms += to_ms(kTokenLife);
    return "?token=" + make_playback_token(*context.tokens->keys(), claims);
}

}  // namespace millrace::orchestrator
