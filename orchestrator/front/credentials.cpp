#include "orchestrator/front/credentials.h"

namespace millrace::orchestrator {
namespace {

constexpr std::string_view kScheme = "Bearer ";

}  // namespace

Credentials credentials_of(const http::Request& request, const FrontContext& context) {
    std::optional<std::string_view> token = request.target.parameter("token");
    if (const auto field = request.headers.find("Authorization")) {
        if (!http::same_ignoring_case(field->substr(0, kScheme.size()), kScheme))
            return http::Problem{ApiCode::unauthorized, "only Bearer tokens are understood", {}};
        token = field->substr(kScheme.size());
    }
    if (!token)
        return std::optional<SessionClaims>();
    auto claims = read_session_token(context.token_keys, *token, context.wall());
    if (!claims)
        return http::Problem{ApiCode::unauthorized, claims.error().message, {}};
    return std::optional(std::move(*claims));
}

}  // namespace millrace::orchestrator
