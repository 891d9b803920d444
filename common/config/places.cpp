#include "common/config/places.h"

#include <algorithm>
#include <array>

#include <pwd.h>
#include <unistd.h>

#include "common/config/field_error.h"

namespace millrace::config {
namespace {

constexpr std::size_t kNameMax = 64;
constexpr std::size_t kPathMax = 4096;

std::string value_of(const std::map<std::string, std::string>& environment, const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
}

std::string home_of_user() {
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
        found == nullptr || found->pw_dir == nullptr)
        return {};
    return found->pw_dir;
}

bool name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

}  // namespace

std::string default_data_dir(const std::map<std::string, std::string>& environment,
                             std::string_view below_home) {
    const std::string state = value_of(environment, "STATE_DIRECTORY");
    if (!state.empty())
        return state.substr(0, state.find(':'));
    std::string home = value_of(environment, "HOME");
    if (home.empty())
        home = home_of_user();
    return home.empty() ? home : home + "/.local/state/millrace/" + std::string(below_home);
}

std::string host_name() {
    std::array<char, 256> buffer{};
    if (::gethostname(buffer.data(), buffer.size() - 1) != 0 || buffer.front() == '\0')
        return "transcoder";
    std::string name(buffer.data());
    name.resize(std::min(name.size(), kNameMax));
    std::replace_if(
        name.begin(), name.end(), [](char c) { return !name_character(c); }, '-');
    return name;
}

Result<std::string> parse_name(std::string_view text) {
    if (!text.empty() && text.size() <= kNameMax && text != "." && text != ".." &&
        std::all_of(text.begin(), text.end(), name_character))
        return std::string(text);
    return error(ErrorKind::bad_input, "must be 1 to 64 of A-Z a-z 0-9 . _ -, not " + quote(text));
}

Result<std::string> parse_path(std::string_view text) {
    if (!text.empty() && text.size() < kPathMax && text.find('\0') == std::string_view::npos)
        return std::string(text);
    return error(ErrorKind::bad_input, "must be a path");
}

}  // namespace millrace::config
