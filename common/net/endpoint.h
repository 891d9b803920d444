#pragma once
// HOST:PORT as flags give it, and as libzmq wants it. IPv6 addresses stand in brackets.
//
// Thread: any; values.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace millrace::net {

struct Endpoint {
    std::string host;  // without brackets; "*" = every address
    std::uint16_t port = 0;

    [[nodiscard]] bool is_ipv6() const { return host.find(':') != std::string::npos; }
    // Neither an IPv4 nor an IPv6 address: a name that has to be looked up.
    [[nodiscard]] bool is_name() const;
    [[nodiscard]] bool is_loopback() const;
    // "HOST:PORT" or "[HOST]:PORT".
    [[nodiscard]] std::string text() const;
    bool operator==(const Endpoint&) const = default;
};

// bad_input with a sentence that says what is wrong. Port 0 is accepted: "any free one".
[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view text);

}  // namespace millrace::net
