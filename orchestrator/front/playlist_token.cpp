#include "orchestrator/front/playlist_token.h"

#include <algorithm>

namespace millrace::orchestrator {
namespace {

constexpr std::string_view kAttribute = "URI=\"";

std::string marked(std::string_view uri, std::string_view token) {
    const bool has_query = uri.find('?') != std::string_view::npos;
    return std::string(uri) + (has_query ? '&' : '?') + "token=" + std::string(token);
}

std::string tag_line(std::string_view line, std::string_view token) {
    const std::size_t at = line.find(kAttribute);
    if (at == std::string_view::npos)
        return std::string(line);
    const std::size_t begin = at + kAttribute.size();
    const std::size_t end = std::min(line.find('"', begin), line.size());
    return std::string(line.substr(0, begin)) + marked(line.substr(begin, end - begin), token) +
           std::string(line.substr(end));
}

}  // namespace

std::string with_token(std::string playlist, std::string_view token) {
    if (token.empty())
        return playlist;
    std::string out;
    for (std::string_view rest = playlist; !rest.empty();) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = rest.substr(0, end);
        if (line.starts_with('#'))
            out += tag_line(line, token);
        else if (!line.empty())
            out += marked(line, token);
        if (end < rest.size())
            out += '\n';
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return out;
}

}  // namespace millrace::orchestrator
