#pragma once
// The target of a request: path split first and decoded after, so that an encoded slash never
// becomes a separator (RFC 3986, section 2.4).
//
// Thread: any; values.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace millrace::http {

struct Target {
    std::string raw;                    // as sent
    std::string path;                   // decoded, for people and logs
    std::vector<std::string> segments;  // "/a/b%2Fc" -> {"a", "b/c"}; "/" -> {""}
    std::vector<std::pair<std::string, std::string>> query;  // decoded, in order

    // The first value under that key.
    [[nodiscard]] std::optional<std::string_view> parameter(std::string_view key) const;
};

// Accepts "/path?query" and "http://host/path?query". bad_input: anything else, a broken escape, or
// a control character, encoded or not.
[[nodiscard]] Result<Target> parse_target(std::string_view raw);

// Escapes everything but RFC 3986's unreserved characters and '+'.
[[nodiscard]] std::string percent_encode(std::string_view text);

}  // namespace millrace::http
