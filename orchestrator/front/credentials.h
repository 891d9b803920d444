#pragma once
// Who is asking: the session token in `Authorization: Bearer` or `?token=`.
//
// Thread: any; pure but for the clock in the context.

#include <optional>
#include <string_view>
#include <variant>

#include "common/http/message.h"
#include "common/http/problem.h"
#include "orchestrator/front/context.h"

namespace millrace::orchestrator {

// What a request shows, whatever it is worth. The header counts before the query.
struct Shown {
    std::optional<std::string_view> text;  // lives as long as the request
    bool in_query = false;
    std::optional<http::Problem> problem;  // an Authorization that is not Bearer
};
[[nodiscard]] Shown shown_by(const http::Request& request);

// The claims of a valid token; nothing when none was shown (--auth none lets that pass); a problem
// when the one shown is not good: a wrong token is never treated as none.
using Credentials = std::variant<std::optional<SessionClaims>, http::Problem>;

[[nodiscard]] Credentials credentials_of(const http::Request& request, const FrontContext& context);

}  // namespace millrace::orchestrator
