#pragma once
// How a program logs. Plain values, so that configuration needs no logging library.
//
// Thread: any; values.

#include <cstdint>

namespace millrace {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error };
enum class LogFormat : std::uint8_t { text, json };

struct LogOptions {
    LogLevel level = LogLevel::info;
    LogFormat format = LogFormat::text;
    bool operator==(const LogOptions&) const = default;
};

}  // namespace millrace
