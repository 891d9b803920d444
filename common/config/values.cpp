#include "common/config/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "common/config/field_error.h"

namespace millrace::config {
namespace {

Error mistake(std::string what, std::string_view text) {
    return error(ErrorKind::bad_input, "must be " + std::move(what) + ", not " + quote(text));
}

bool host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
}

bool plausible_name(std::string_view host) {
    constexpr std::size_t kHostNameMax = 253;  // RFC 1035
    return !host.empty() && host.size() <= kHostNameMax &&
           std::all_of(host.begin(), host.end(), host_character);
}

bool plausible_ipv6(std::string_view host) {
    return host.find(':') != std::string_view::npos && host.size() <= 64 &&
           host.find_first_not_of("0123456789abcdefABCDEF:.%-_ghijklmnopqrstuvwxyz") ==
               std::string_view::npos;
}

std::optional<std::uint64_t> whole(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || problem != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

struct Unit {
    std::string_view name;
    double factor;
};

// A number, perhaps with a decimal point, and one of the units behind it.
std::optional<double> with_unit(std::string_view text, const std::vector<Unit>& units) {
    const std::size_t end = text.find_first_not_of("0123456789.");
    const std::string_view number = text.substr(0, end);
    const std::string_view name =
        end == std::string_view::npos ? std::string_view() : text.substr(end);
    double value = 0;
    const auto [stop, problem] =
        std::from_chars(number.data(), number.data() + number.size(), value);
    if (number.empty() || problem != std::errc() || stop != number.data() + number.size())
        return std::nullopt;
    for (const Unit& unit : units)
        if (unit.name == name)
            return value * unit.factor;
    return std::nullopt;
}

}  // namespace

std::string to_string(const HostPort& address) {
    const bool v6 = address.host.find(':') != std::string::npos;
    return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

bool is_loopback(std::string_view host) {
    if (host == "localhost" || host == "::1")
        return true;
    return host.substr(0, 4) == "127." &&
           host.find_first_not_of("0123456789.") == std::string_view::npos;
}

Result<std::string> parse_host(std::string_view text) {
    std::string_view host = text;
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed)
        host = host.substr(1, host.size() - 2);
    if (plausible_ipv6(host) || (!bracketed && plausible_name(host)))
        return std::string(host);
    return mistake("a host name or an address", text);
}

Result<HostPort> parse_host_port(std::string_view text) {
    const std::string_view wanted = "HOST:PORT (IPv6 as [::1]:PORT), port 0 to 65535";
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos)
        return mistake(std::string(wanted), text);
    const std::string_view host = text.substr(0, colon);
    const auto port = whole(text.substr(colon + 1));
    const bool bare_v6 = host.find(':') != std::string_view::npos && host.front() != '[';
    if (!port || *port > 65535 || bare_v6)
        return mistake(std::string(wanted), text);
    if (host.empty())
        return HostPort{"0.0.0.0", static_cast<std::uint16_t>(*port)};
    auto parsed = parse_host(host);
    if (!parsed)
        return mistake(std::string(wanted), text);
    return HostPort{*std::move(parsed), static_cast<std::uint16_t>(*port)};
}

Result<Duration> parse_duration(std::string_view text) {
    static const std::vector<Unit> kUnits{{"ms", 1e-3}, {"s", 1.0}, {"m", 60.0}, {"h", 3600.0}};
    constexpr double kSecondsMax = 10.0 * 366 * 24 * 3600;
    if (text == "0")
        return Duration::zero();
    const auto seconds = with_unit(text, kUnits);
    if (!seconds || *seconds > kSecondsMax)
        return mistake("a duration like 90s, 5m, 24h or 1500ms", text);
    return Duration(static_cast<std::int64_t>(std::llround(*seconds * 1e9)));
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
    static const std::vector<Unit> kUnits{
        {"", 1},     {"B", 1},    {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0},
        {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6},     {"GB", 1e9},        {"TiB", 1099511627776.0},
        {"TB", 1e12}};
    constexpr double kBytesMax = 1e15;
    const auto bytes = with_unit(text, kUnits);
    if (!bytes || *bytes > kBytesMax || *bytes != std::floor(*bytes))
        return mistake("a number of bytes like 1GiB, 512MiB or 1000000", text);
    return static_cast<std::uint64_t>(*bytes);
}

Result<std::uint64_t> parse_count(std::string_view text, std::uint64_t low, std::uint64_t high) {
    const auto value = whole(text);
    if (value && *value >= low && *value <= high)
        return *value;
    return mistake("a whole number from " + std::to_string(low) + " to " + std::to_string(high),
                   text);
}

Result<CountOrAuto> parse_count_or_auto(std::string_view text, std::uint32_t low,
                                        std::uint32_t high) {
    if (text == "auto")
        return CountOrAuto();
    const auto value = parse_count(text, low, high);
    if (value)
        return CountOrAuto(static_cast<std::uint32_t>(*value));
    return mistake(
        "auto or a whole number from " + std::to_string(low) + " to " + std::to_string(high), text);
}

Result<bool> parse_bool(std::string_view text) {
    for (const std::string_view yes : {"true", "1", "yes", "on"})
        if (text == yes)
            return true;
    for (const std::string_view no : {"false", "0", "no", "off"})
        if (text == no)
            return false;
    return mistake("true or false", text);
}

Result<std::string> parse_base_url(std::string_view text) {
    const std::string wanted = "a URL like https://video.example:443/path, without a query";
    std::string_view rest = text;
    if (rest.starts_with("http://"))
        rest.remove_prefix(7);
    else if (rest.starts_with("https://"))
        rest.remove_prefix(8);
    else
        return mistake(wanted, text);
    const std::string_view authority = rest.substr(0, rest.find('/'));
    const std::string_view path = rest.substr(authority.size());
    const std::size_t bracket = authority.rfind(']');
    const std::string_view tail =
        bracket == std::string_view::npos ? authority : authority.substr(bracket);
    const bool port_given = tail.find(':') != std::string_view::npos;
    const bool good_authority = port_given ? authority.front() != ':' && parse_host_port(authority)
                                           : parse_host(authority).has_value();
    const bool good_path = std::all_of(path.begin(), path.end(), [](char c) {
        return host_character(c) || std::string_view("/~+%").find(c) != std::string_view::npos;
    });
    if (!good_authority || !good_path)
        return mistake(wanted, text);
    std::string url(text);
    while (url.back() == '/')
        url.pop_back();
    return url;
}

Result<LogLevel> parse_log_level(std::string_view text) {
    constexpr std::array<std::string_view, 5> kNames{"trace", "debug", "info", "warn", "error"};
    for (std::size_t i = 0; i < kNames.size(); ++i)
        if (kNames[i] == text)
            return static_cast<LogLevel>(i);
    return mistake("trace, debug, info, warn or error", text);
}

Result<LogFormat> parse_log_format(std::string_view text) {
    if (text == "text")
        return LogFormat::text;
    if (text == "json")
        return LogFormat::json;
    return mistake("text or json", text);
}

std::string duration_text(Duration duration) {
    const std::int64_t ms = to_ms(duration);
    return ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms";
}

std::vector<std::string> split_commas(std::string_view text) {
    std::vector<std::string> parts;
    while (true) {
        const std::size_t comma = text.find(',');
        parts.emplace_back(text.substr(0, comma));
        if (comma == std::string_view::npos)
            return parts;
        text.remove_prefix(comma + 1);
    }
}

}  // namespace millrace::config
