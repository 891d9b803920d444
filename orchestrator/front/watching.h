#pragma once
// Who may watch (--playback public, token or off): what a player's request is worth, and what the URLs
// that broadcasters are given carry.
//
// Thread: any; it reads the context only.

#include <string>
#include <variant>

#include "common/http/message.h"
#include "common/http/problem.h"
#include "orchestrator/front/context.h"

namespace millrace::orchestrator {

// The token that the URLs in the answer carry on ("" = none is needed, or the player sends it as a header
// with each request), or why not: 401 without a good token, 403 with one for another stream or owner.
using WatchVerdict = std::variant<std::string, http::Problem>;

[[nodiscard]] WatchVerdict may_watch(const http::Request& request, const StreamName& stream,
                                     const FrontContext& context);

// "?token=…" for URLs of the stream that are shown to its owner; "" where none is needed.
[[nodiscard]] std::string watch_query(const StreamName& stream, const AccountId& account,
                                      const std::string& account_key, const FrontContext& context);

}  // namespace millrace::orchestrator
