#include "orchestrator/front/credentials.h"

namespace millrace::orchestrator {
namespace {

constexpr std::string_view kScheme = "Bearer ";

}  // namespace

Shown shown_by(const http::Request& request) {
    Shown shown;
    if (const auto field = request.headers.find("Authorization")) {
        if (http::same_ignoring_case(field->substr(0, kScheme.size()), kScheme))
            shown.text = field->substr(kScheme.size());
        else
            shown.problem = {ApiCode::unauthorized, "only Bearer tokens are understood", {}};
        return shown;
    }
    shown.text = request.target.parameter("token");
    shown.in_query = shown.text.has_value();
    return shown;
}

Credentials credentials_of(const http::Request& request, const FrontContext& context) {
    const Shown shown = shown_by(request);
    if (shown.problem)
        return *shown.problem;
    if (!shown.text)
        return std::optional<SessionClaims>();
    auto claims = read_session_token(*context.tokens->keys(), *shown.text, context.wall());
    if (!claims)
        return http::Problem{ApiCode::unauthorized, claims.error().message, {}};
    return std::optional(std::move(*claims));
}

}  // namespace millrace::orchestrator
