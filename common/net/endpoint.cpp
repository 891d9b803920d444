#include "common/net/endpoint.h"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>

namespace millrace::net {

namespace {

constexpr std::size_t kHostCharsMax = 253;  // RFC 1035 section 2.3.4, as text

bool is_address(int family, const std::string& host) {
    unsigned char bytes[sizeof(in6_addr)];
    return inet_pton(family, host.c_str(), bytes) == 1;
}

bool host_chars_good(const std::string& host) {
    return !host.empty() && host.size() <= kHostCharsMax &&
           std::all_of(host.begin(), host.end(), [](unsigned char c) {
               return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
           });
}

Error bad(std::string_view text, std::string_view why) {
    return error(ErrorKind::bad_input,
                 "\"" + std::string(text.substr(0, kHostCharsMax)) + "\" " + std::string(why));
}

}  // namespace

bool Endpoint::is_name() const {
    return host != "*" && !is_address(AF_INET, host) && !is_address(AF_INET6, host);
}

bool Endpoint::is_loopback() const {
    return host == "localhost" || host == "::1" ||
           (host.starts_with("127.") && is_address(AF_INET, host));
}

std::string Endpoint::text() const {
    return (is_ipv6() ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos)
        return bad(text, "has no port; HOST:PORT is wanted");
    Endpoint endpoint{std::string(text.substr(0, colon)), 0};
    const std::string_view port = text.substr(colon + 1);
    const auto [end, problem] =
        std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (problem != std::errc{} || end != port.data() + port.size())
        return bad(text, "has no port number from 0 to 65535 after its last colon");
    std::string& host = endpoint.host;
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
        if (!is_address(AF_INET6, host))
            return bad(text, "has no IPv6 address between its brackets");
    } else if (host != "*" && !host_chars_good(host)) {
        return bad(text, "has no host name, IPv4 address or [IPv6 address] before its port");
    }
    return endpoint;
}

}  // namespace millrace::net
