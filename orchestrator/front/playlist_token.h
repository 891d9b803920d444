#pragma once
// Playlists that carry their viewer's token: every URL a playlist names gets it as `?token=`, so that a
// player which only follows URLs stays let in.
//
// Thread: any; pure.

#include <string>
#include <string_view>

namespace millrace::orchestrator {

// Adds the token to every URI line and every URI="…" attribute (RFC 8216, sections 4.1 and 4.2). An empty
// token changes nothing. `token` has to be made of characters that need no escape in a query.
[[nodiscard]] std::string with_token(std::string playlist, std::string_view token);

}  // namespace millrace::orchestrator
