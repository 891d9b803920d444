#include "common/http/conditional.h"

#include <algorithm>
#include <charconv>

#include "common/http/problem.h"

namespace millrace::http {
namespace {

constexpr std::string_view kUnit = "bytes=";

// Digits only; nothing for anything else. What does not fit is larger than any body.
std::optional<std::uint64_t> number(std::string_view text) {
    if (text.empty() ||
        !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
        return std::nullopt;
    std::uint64_t value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{})
        return UINT64_MAX;
    return value;
}

bool has_etag(std::string_view field, std::string_view etag) {
    while (!field.empty()) {
        const std::size_t comma = std::min(field.find(','), field.size());
        std::string_view one = field.substr(0, comma);
        while (!one.empty() && (one.front() == ' ' || one.front() == '\t'))
            one.remove_prefix(1);
        while (!one.empty() && (one.back() == ' ' || one.back() == '\t'))
            one.remove_suffix(1);
        // A cache may have weakened it on the way (RFC 9110, section 13.1.2: weak comparison).
        if (one.starts_with("W/"))
            one.remove_prefix(2);
        if (one == etag || one == "*")
            return true;
        field.remove_prefix(std::min(comma + 1, field.size()));
    }
    return false;
}

BodyPart cut(const BodyPart& part, std::uint64_t from, std::uint64_t bytes) {
    if (const auto* text = std::get_if<std::string>(&part))
        return text->substr(from, bytes);
    if (const auto* range = std::get_if<PayloadRange>(&part))
        return PayloadRange{range->payload, range->offset + from, bytes};
    return PayloadRange{std::get<PayloadPtr>(part), from, bytes};
}

std::vector<BodyPart> cut(const std::vector<BodyPart>& body, ByteRange range) {
    std::vector<BodyPart> out;
    std::uint64_t at = 0;  // of the part in the body
    for (const BodyPart& part : body) {
        const std::uint64_t size = part_bytes(part);
        const std::uint64_t from = std::max(at, range.first);
        const std::uint64_t end = std::min(at + size, range.first + range.count);
        if (from < end)
            out.push_back(cut(part, from - at, end - from));
        at += size;
    }
    return out;
}

Response outside(const Response& whole, std::uint64_t size) {
    Response response = to_response(
        {ApiCode::range_not_satisfiable, "the body has " + std::to_string(size) + " bytes", {}});
    for (const auto& [name, value] : whole.headers)
        if (name.starts_with("Access-Control-"))
            response.headers.set(name, value);
    response.headers.set("Content-Range", "bytes */" + std::to_string(size));
    return response;
}

bool range_applies(const Request& request, std::string_view etag) {
    const auto condition = request.headers.find("If-Range");
    // A date would need Last-Modified, which we do not send; a weak tag never matches here.
    return request.method == Method::get && (!condition || (!etag.empty() && *condition == etag));
}

}  // namespace

std::variant<WholeBody, ByteRange, OutsideBody> parse_range(std::string_view field,
                                                            std::uint64_t size) {
    if (field.size() < kUnit.size() || !same_ignoring_case(field.substr(0, kUnit.size()), kUnit))
        return WholeBody{};
    field.remove_prefix(kUnit.size());
    const std::size_t dash = field.find('-');
    if (dash == std::string_view::npos)
        return WholeBody{};
    const auto first = number(field.substr(0, dash));
    const auto last = number(field.substr(dash + 1));
    if (dash == 0) {  // the last so many
        if (!last)
            return WholeBody{};
        const std::uint64_t count = std::min(*last, size);
        if (count == 0)
            return OutsideBody{};
        return ByteRange{size - count, count};
    }
    const bool open_end = dash + 1 == field.size();
    if (!first || (!last && !open_end) || (last && *last < *first))
        return WholeBody{};
    if (*first >= size)
        return OutsideBody{};
    const std::uint64_t end = open_end ? size : std::min(size - 1, *last) + 1;
    return ByteRange{*first, end - *first};
}

Response fit_to_request(const Request& request, Response whole) {
    const std::string etag(whole.headers.find("ETag").value_or(""));
    whole.headers.set("Accept-Ranges", "bytes");
    const auto known = request.headers.find("If-None-Match");
    if (known && !etag.empty() && has_etag(*known, etag)) {
        whole.status = 304;
        whole.body.clear();
        return whole;
    }
    const auto field = request.headers.find("Range");
    if (!field || !range_applies(request, etag))
        return whole;
    const std::uint64_t size = whole.body_bytes();
    const auto wanted = parse_range(*field, size);
    if (std::holds_alternative<OutsideBody>(wanted))
        return outside(whole, size);
    if (const auto* range = std::get_if<ByteRange>(&wanted)) {
        whole.status = 206;
        whole.body = cut(whole.body, *range);
        whole.headers.set("Content-Range", "bytes " + std::to_string(range->first) + '-' +
                                               std::to_string(range->first + range->count - 1) +
                                               '/' + std::to_string(size));
    }
    return whole;
}

}  // namespace millrace::http
