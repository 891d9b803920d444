#include "common/http/target.h"

#include <algorithm>

namespace millrace::http {
namespace {

int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

std::optional<char> escaped_byte(std::string_view two) {
    if (two.size() < 2 || hex_value(two[0]) < 0 || hex_value(two[1]) < 0)
        return std::nullopt;
    return static_cast<char>(hex_value(two[0]) * 16 + hex_value(two[1]));
}

std::optional<std::string> decoded(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            const auto byte = escaped_byte(text.substr(i + 1, 2));
            if (!byte)
                return std::nullopt;
            c = *byte;
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (control(c))
            return std::nullopt;
        out.push_back(c);
    }
    return out;
}

bool split_path(std::string_view path, Target& target) {
    path.remove_prefix(1);
    while (true) {
        const std::size_t slash = std::min(path.find('/'), path.size());
        auto segment = decoded(path.substr(0, slash), false);
        if (!segment)
            return false;
        target.path += '/' + *segment;
        target.segments.push_back(std::move(*segment));
        if (slash == path.size())
            return true;
        path.remove_prefix(slash + 1);
    }
}

bool split_query(std::string_view query, Target& target) {
    while (!query.empty()) {
        const std::size_t end = std::min(query.find('&'), query.size());
        const std::string_view pair = query.substr(0, end);
        const std::size_t equals = std::min(pair.find('='), pair.size());
        auto key = decoded(pair.substr(0, equals), true);
        auto value = decoded(pair.substr(std::min(equals + 1, pair.size())), true);
        if (!key || !value)
            return false;
        target.query.emplace_back(std::move(*key), std::move(*value));
        query.remove_prefix(std::min(end + 1, query.size()));
    }
    return true;
}

// "http://host/path" -> "/path": RFC 9112, section 3.2.2 asks servers to accept it.
std::string_view without_authority(std::string_view raw) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!raw.starts_with(scheme))
            continue;
        const std::size_t slash = raw.find('/', scheme.size());
        return slash == std::string_view::npos ? "/" : raw.substr(slash);
    }
    return raw;
}

}  // namespace

std::optional<std::string_view> Target::parameter(std::string_view key) const {
    for (const auto& [name, value] : query)
        if (name == key)
            return value;
    return std::nullopt;
}

Result<Target> parse_target(std::string_view raw) {
    const std::string_view local = without_authority(raw);
    if (local.empty() || local.front() != '/')
        return error(ErrorKind::bad_input, "the request target is not a path");
    Target target;
    target.raw = std::string(raw);
    const std::size_t question = std::min(local.find('?'), local.size());
    if (!split_path(local.substr(0, question), target) ||
        !split_query(local.substr(std::min(question + 1, local.size())), target))
        return error(ErrorKind::bad_input, "the request target has a broken escape");
    return target;
}

std::string percent_encode(std::string_view text) {
    static constexpr std::string_view kDigits = "0123456789ABCDEF";
    static constexpr std::string_view kPlain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+";
    std::string out;
    for (const char c : text) {
        if (kPlain.find(c) != std::string_view::npos) {
            out.push_back(c);
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
    return out;
}

}  // namespace millrace::http
