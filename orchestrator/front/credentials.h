#pragma once
// Who is asking: an account key, the token of a sign-in or a session token in `Authorization: Bearer` or `?token=`, judged as
// --auth says.
//
// Thread: any; pure but for the clock and the account book in the context.

#include <optional>
#include <string>
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

// Somebody who may be served.
struct Caller {
    AccountId account;                     // empty: nobody in particular
    std::string account_key;               // id of its key, for the tokens it is given
    std::optional<SessionClaims> session;  // it showed the token of this session
    bool ask_hook = false;                 // the webhook decides (hook_desk.h)
};

// Unauthorized when nothing good was shown where something is needed; what is shown and wrong is never
// treated as nothing.
using CallerOrProblem = std::variant<Caller, http::Problem>;
[[nodiscard]] CallerOrProblem caller_of(const http::Request& request, const FrontContext& context);

// Forbidden: the token is for another stream, or the account may not use this one.
[[nodiscard]] std::optional<http::Problem> stream_refused(const Caller& caller,
                                                          const StreamName& stream,
                                                          const FrontContext& context);

}  // namespace millrace::orchestrator
