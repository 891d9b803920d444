#include "orchestrator/front/names.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "common/http/message.h"

namespace millrace::orchestrator {
namespace {

constexpr std::size_t kStreamNameMax = 128;
constexpr std::size_t kFileNameMax = 255;  // bytes, as on most file systems
constexpr std::size_t kSessionIdDigits = 32;
constexpr std::array<std::string_view, 4> kExtensions{".ts", ".mp4", ".m4s", ".webm"};

bool digit(char c) {
    return c >= '0' && c <= '9';
}

bool name_character(char c) {
    return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("._~+-").find(c) != std::string_view::npos;
}

bool has_extension(std::string_view name, std::string_view extension) {
    return name.size() >= extension.size() &&
           http::same_ignoring_case(name.substr(name.size() - extension.size()), extension);
}

}  // namespace

bool valid_stream_name(std::string_view name) {
    return !name.empty() && name.size() <= kStreamNameMax && name != "." && name != ".." &&
           std::all_of(name.begin(), name.end(), name_character);
}

bool valid_session_id(std::string_view id) {
    return id.size() == kSessionIdDigits && std::all_of(id.begin(), id.end(), [](char c) {
               return digit(c) || (c >= 'a' && c <= 'f');
           });
}

std::variant<std::uint64_t, SegmentNameProblem> sequence_of(std::string_view name) {
    const auto extension = std::find_if(kExtensions.begin(), kExtensions.end(),
                                        [&](auto known) { return has_extension(name, known); });
    if (extension == kExtensions.end())
        return SegmentNameProblem::unknown_extension;
    name.remove_suffix(extension->size());
    const auto last_other = std::find_if_not(name.rbegin(), name.rend(), digit);
    const auto digits = static_cast<std::size_t>(last_other - name.rbegin());
    const std::string_view number = name.substr(name.size() - digits);
    std::uint64_t seq = 0;
    const auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), seq);
    if (number.empty() || failure != std::errc{} || end != number.data() + number.size())
        return SegmentNameProblem::no_number;
    return seq;
}

bool valid_file_name(std::string_view name) {
    return !name.empty() && name.size() <= kFileNameMax && name != "." && name != ".." &&
           name.find_first_of("/\\") == std::string_view::npos;
}

bool is_init_name(std::string_view name) {
    const auto sequence = sequence_of(name);
    const auto* problem = std::get_if<SegmentNameProblem>(&sequence);
    return problem != nullptr && *problem == SegmentNameProblem::no_number &&
           (has_extension(name, ".mp4") || has_extension(name, ".m4s"));
}

bool is_playlist_name(std::string_view name) {
    return has_extension(name, ".m3u8");
}

}  // namespace millrace::orchestrator
