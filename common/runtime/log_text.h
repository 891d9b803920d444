#pragma once
// Text of strangers made safe for one line of a log. Internal to log.cpp.

#include <cstddef>
#include <string>
#include <string_view>

namespace millrace::log {

inline constexpr std::size_t kValueMax = 1024;  // bytes of one value; more is cut

// Control bytes, DEL and bytes that are not UTF-8 as \xNN.
void append_plain(std::string& line, std::string_view text);
// The same, in double quotes when it is empty or holds spaces, quotes, '=' or escapes.
void append_value(std::string& line, std::string_view text);
// A JSON string with its quotes; what is not UTF-8 becomes U+FFFD.
void append_json(std::string& line, std::string_view text);

}  // namespace millrace::log
