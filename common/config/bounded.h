#pragma once
// Parsers of numbers within bounds, as flags take them. Internal to common/config.

#include "common/config/field_error.h"
#include "common/config/values.h"

namespace millrace::config {

// How many of what.
inline auto count(std::uint64_t low, std::uint64_t high) {
    return [low, high](const std::string& text) { return parse_count(text, low, high); };
}

inline auto bytes(std::uint64_t low, std::uint64_t high) {
    return [low, high](const std::string& text) -> Result<std::uint64_t> {
        auto value = parse_bytes(text);
        if (value && (*value < low || *value > high))
            return error(ErrorKind::bad_input, "must be between " + std::to_string(low) + " and " +
                                                   std::to_string(high) + " bytes");
        return value;
    };
}

inline auto duration(Duration low, Duration high) {
    return [low, high](const std::string& text) -> Result<Duration> {
        auto value = parse_duration(text);
        if (value && (*value < low || *value > high))
            return error(ErrorKind::bad_input,
                         "must be between " + duration_text(low) + " and " + duration_text(high));
        return value;
    };
}

}  // namespace millrace::config
