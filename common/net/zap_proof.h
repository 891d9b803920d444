#pragma once
// Internal to common/net: the domain in which the doorkeeper's self-test asks, so that the keys it
// uses open nothing else.

#include <string_view>

namespace millrace::net {

inline constexpr std::string_view kProofDomain = "millrace.self-test";

}  // namespace millrace::net
