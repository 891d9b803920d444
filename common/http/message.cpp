#include "common/http/message.h"

#include <algorithm>
#include <array>

namespace millrace::http {
namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

}  // namespace

std::string_view to_string(Method method) {
    static constexpr std::array<std::string_view, 7> kNames{"GET",    "HEAD",    "POST", "PUT",
                                                            "DELETE", "OPTIONS", "OTHER"};
    return kNames[static_cast<std::size_t>(method)];
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

void Headers::add(std::string name, std::string value) {
    fields_.emplace_back(std::move(name), std::move(value));
}

void Headers::set(std::string name, std::string value) {
    std::erase_if(fields_,
                  [&](const Field& field) { return same_ignoring_case(field.first, name); });
    add(std::move(name), std::move(value));
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
    for (const Field& field : fields_)
        if (same_ignoring_case(field.first, name))
            return field.second;
    return std::nullopt;
}

bool Headers::lists(std::string_view name, std::string_view token) const {
    for (const Field& field : fields_) {
        if (!same_ignoring_case(field.first, name))
            continue;
        std::string_view rest = field.second;
        while (!rest.empty()) {
            const std::size_t comma = std::min(rest.find(','), rest.size());
            if (same_ignoring_case(trimmed(rest.substr(0, comma)), token))
                return true;
            rest.remove_prefix(std::min(comma + 1, rest.size()));
        }
    }
    return false;
}

std::uint64_t part_bytes(const BodyPart& part) {
    if (const auto* text = std::get_if<std::string>(&part))
        return text->size();
    if (const auto* range = std::get_if<PayloadRange>(&part))
        return range->size;
    const auto& payload = std::get<PayloadPtr>(part);
    return payload ? payload->size() : 0;
}

std::uint64_t Response::body_bytes() const {
    std::uint64_t bytes = 0;
    for (const BodyPart& part : body)
        bytes += part_bytes(part);
    return bytes;
}

Response text_response(int status, std::string content_type, std::string body) {
    Response response;
    response.status = status;
    response.headers.set("Content-Type", std::move(content_type));
    response.body.emplace_back(std::move(body));
    return response;
}

std::string_view reason_phrase(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 204:
            return "No Content";
        case 206:
            return "Partial Content";
        case 304:
            return "Not Modified";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 413:
            return "Content Too Large";
        case 415:
            return "Unsupported Media Type";
        case 416:
            return "Range Not Satisfiable";
        case 422:
            return "Unprocessable Content";
        case 429:
            return "Too Many Requests";
        case 500:
            return "Internal Server Error";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        default:
            return "Status";
    }
}

}  // namespace millrace::http
