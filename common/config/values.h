#pragma once
// What flags hold, and how people write it. Every parser takes the whole text or says in a sentence
// what it wants instead (ErrorKind::bad_input).
//
// Thread: any.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/runtime/log_options.h"

namespace millrace::config {

// A place to listen on or to reach. IPv6 hosts are held without brackets.
struct HostPort {
    std::string host;
    std::uint16_t port = 0;
    bool operator==(const HostPort&) const = default;
};

// "127.0.0.1:8935", "[::1]:0"; ZeroMQ and URLs take this form too.
[[nodiscard]] std::string to_string(const HostPort& address);
// Only this machine can reach it: 127.0.0.0/8, ::1, localhost.
[[nodiscard]] bool is_loopback(std::string_view host);

// A whole number or "auto" (nothing).
using CountOrAuto = std::optional<std::uint32_t>;

// HOST:PORT with 0 <= port <= 65535; "[::1]:0"; ":8935" is every interface (0.0.0.0).
[[nodiscard]] Result<HostPort> parse_host_port(std::string_view text);
// HOST alone: a name or an address, IPv6 with or without brackets.
[[nodiscard]] Result<std::string> parse_host(std::string_view text);
// "1500ms", "90s", "5m", "24h", "1.5s"; "0" needs no unit. At most ten years.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);
// "1GiB", "32MiB", "64KiB", "512B", powers of ten as "1GB", "1MB", "1kB", or a plain number of
// bytes.
[[nodiscard]] Result<std::uint64_t> parse_bytes(std::string_view text);
[[nodiscard]] Result<std::uint64_t> parse_count(std::string_view text, std::uint64_t low,
                                                std::uint64_t high);
[[nodiscard]] Result<CountOrAuto> parse_count_or_auto(std::string_view text, std::uint32_t low,
                                                      std::uint32_t high);
[[nodiscard]] Result<bool> parse_bool(std::string_view text);
// http:// or https://, a host, perhaps a port and a path; no query. Comes back without a final
// slash.
[[nodiscard]] Result<std::string> parse_base_url(std::string_view text);
[[nodiscard]] Result<LogLevel> parse_log_level(std::string_view text);
[[nodiscard]] Result<LogFormat> parse_log_format(std::string_view text);

// "30s", "1500ms": reads back as the same duration (to the millisecond).
[[nodiscard]] std::string duration_text(Duration duration);

// Cut at commas; empty parts are kept, so that a parser can refuse them.
[[nodiscard]] std::vector<std::string> split_commas(std::string_view text);

}  // namespace millrace::config
