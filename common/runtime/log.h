#pragma once
// Logging: one line per event on stderr, as text for people or JSON for machines.
//
//   2026-11-22T16:37:05.123Z info  transcoder: ready name=w1 reason="joined again"
//   {"time":"2026-11-22T16:37:05.123Z","level":"info","module":"transcoder","message":"ready",...}
//
// Promises: never throws; control bytes and broken UTF-8 of peers never reach the terminal or break
// a line (they are escaped); a value is cut after 1 KiB. Log ids, never secrets, never URLs with
// their query, never payload.
//
// Thread: any, once configure() has run (before it: text at info). spdlog stays inside log.cpp.

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "common/runtime/log_options.h"

namespace millrace::log {

struct Field {
    std::string_view key;
    std::string value;
};
using Fields = std::initializer_list<Field>;

// Called once by main, before there are threads.
void configure(const LogOptions& options);
[[nodiscard]] bool enabled(LogLevel level) noexcept;

// `module` says which part speaks ("link", "session"); `message` is a constant sentence, what
// varies stands in the fields.
void write(LogLevel level, std::string_view module, std::string_view message,
           Fields fields = {}) noexcept;

inline void trace(std::string_view module, std::string_view message, Fields fields = {}) noexcept {
    write(LogLevel::trace, module, message, fields);
}
inline void debug(std::string_view module, std::string_view message, Fields fields = {}) noexcept {
    write(LogLevel::debug, module, message, fields);
}
inline void info(std::string_view module, std::string_view message, Fields fields = {}) noexcept {
    write(LogLevel::info, module, message, fields);
}
inline void warn(std::string_view module, std::string_view message, Fields fields = {}) noexcept {
    write(LogLevel::warn, module, message, fields);
}
inline void error(std::string_view module, std::string_view message, Fields fields = {}) noexcept {
    write(LogLevel::error, module, message, fields);
}

// For what a peer can cause as often as it likes: at most RateLimiter::kLinesPerMinute lines per
// `key` (the peer's id); the first line of the next minute says how many were left out.
void write_limited(std::string_view key, LogLevel level, std::string_view module,
                   std::string_view message, Fields fields = {}) noexcept;

// The rule behind write_limited. Remembers at most kKeysMax keys; beyond that all further keys
// share one allowance. Thread: its owner's.
class RateLimiter {
public:
    static constexpr std::uint32_t kLinesPerMinute = 100;
    static constexpr std::size_t kKeysMax = 1024;

    RateLimiter();
    ~RateLimiter();
    RateLimiter(const RateLimiter&) = delete;
    RateLimiter& operator=(const RateLimiter&) = delete;

    // Nothing: leave the line out. A number: write it; so many were left out before.
    [[nodiscard]] std::optional<std::uint64_t> pass(std::string_view key, TimePoint now);

private:
    struct State;
    std::unique_ptr<State> state_;
};

// A line without its time, as write() makes it. For tests.
[[nodiscard]] std::string render(LogFormat format, LogLevel level, std::string_view module,
                                 std::string_view message, Fields fields);

}  // namespace millrace::log
