#pragma once
// base64url without padding (RFC 4648, section 5), as tokens and keys are written.
//
// Thread: any; pure.

#include <optional>
#include <string>
#include <string_view>

namespace millrace {

[[nodiscard]] std::string base64url(std::string_view bytes);

// Takes the one spelling of each text that base64url() makes: leftover bits have to be zero.
[[nodiscard]] std::optional<std::string> from_base64url(std::string_view text);

}  // namespace millrace
