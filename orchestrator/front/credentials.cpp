#include "orchestrator/front/credentials.h"

namespace millrace::orchestrator {
namespace {

using http::Problem;

constexpr std::string_view kScheme = "Bearer ";

Problem unauthorized(std::string detail) {
    return {ApiCode::unauthorized, std::move(detail), {}};
}

CallerOrProblem holder_of_token(std::string_view token, const FrontContext& context) {
    auto claims = read_session_token(*context.tokens->keys(), token, context.wall());
    if (!claims)
        return unauthorized(claims.error().message);
    const bool accounts = context.auth == AuthMode::accounts;
    if (accounts && !context.accounts->has(claims->account, claims->account_key))
        return unauthorized("the account of this token was removed");
    Caller caller{claims->account, claims->account_key, {}, false};
    caller.session = std::move(*claims);
    return caller;
}

CallerOrProblem holder_of_account_token(std::string_view token, const FrontContext& context) {
    auto claims = read_account_token(*context.tokens->keys(), token, context.wall());
    if (!claims)
        return unauthorized(claims.error().message);
    if (!context.accounts->has(claims->account, claims->account_key))
        return unauthorized("the account of this token was removed");
    return Caller{std::move(claims->account), std::move(claims->account_key), {}, false};
}

}  // namespace

Shown shown_by(const http::Request& request) {
    Shown shown;
    if (const auto field = request.headers.find("Authorization")) {
        if (http::same_ignoring_case(field->substr(0, kScheme.size()), kScheme))
            shown.text = field->substr(kScheme.size());
        else
            shown.problem = unauthorized("only Bearer tokens are understood");
        return shown;
    }
    shown.text = request.target.parameter("token");
    shown.in_query = shown.text.has_value();
    return shown;
}

CallerOrProblem caller_of(const http::Request& request, const FrontContext& context) {
    const Shown shown = shown_by(request);
    // What else is shown is between the broadcaster and the webhook.
    if (context.auth == AuthMode::webhook && !(shown.text && is_session_token(*shown.text)))
        return Caller{{}, {}, {}, true};
    if (shown.problem)
        return *shown.problem;
    if (!shown.text) {
        if (context.auth == AuthMode::none)
            return Caller{};
        return unauthorized("this needs an account key or a session token");
    }
    if (context.auth == AuthMode::accounts && is_account_token(*shown.text))
        return holder_of_account_token(*shown.text, context);
    if (context.auth == AuthMode::accounts)
        if (auto holder = context.accounts->holder_of(*shown.text))
            return Caller{std::move(holder->account), std::move(holder->key_id), {}, false};
    return holder_of_token(*shown.text, context);
}

std::optional<Problem> stream_refused(const Caller& caller, const StreamName& stream,
                                      const FrontContext& context) {
    if (caller.session && caller.session->stream != stream)
        return Problem{ApiCode::forbidden, "the token is for another stream", {}};
    if (context.auth == AuthMode::accounts && !context.accounts->allows(caller.account, stream))
        return Problem{ApiCode::forbidden, "the account may not use a stream of this name", {}};
    return std::nullopt;
}

}  // namespace millrace::orchestrator
