#pragma once
// Parts of a body and unchanged bodies (RFC 9110, sections 13 and 14): what players ask of segments.
//
// One range of a GET is served as 206, one outside the body is 416; several ranges, other units and
// broken ones get the whole body, as the RFC allows. If-Range and If-None-Match compare with the
// response's ETag.
//
// Thread: any; pure.

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "common/http/message.h"

namespace millrace::http {

// Bytes [first, first + count) of a body.
struct ByteRange {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    bool operator==(const ByteRange&) const = default;
};
struct WholeBody {
    bool operator==(const WholeBody&) const = default;
};
struct OutsideBody {
    bool operator==(const OutsideBody&) const = default;
};

// What a Range field asks of a body of `size` bytes: "bytes=0-499", "bytes=500-", "bytes=-500".
[[nodiscard]] std::variant<WholeBody, ByteRange, OutsideBody> parse_range(std::string_view field,
                                                                          std::uint64_t size);

// `whole` is a 200 with its body (and ETag, if it has one); comes back as 200, 206, 304 or 416.
[[nodiscard]] Response fit_to_request(const Request& request, Response whole);

}  // namespace millrace::http
