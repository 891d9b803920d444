#include "common/config/field_error.h"

namespace millrace::config {

std::string to_string(const std::vector<FieldError>& errors) {
    std::string text;
    for (const FieldError& error : errors) {
        if (!text.empty())
            text += "; ";
        if (!error.path.empty())
            text += error.path + ": ";
        text += error.detail;
    }
    return text;
}

std::string quote(std::string_view text) {
    constexpr std::size_t kQuotedMax = 64;
    std::string out = "'";
    for (const char c : text.substr(0, kQuotedMax))
        out += (c >= ' ' && c <= '~') ? c : '?';
    if (text.size() > kQuotedMax)
        out += "...";
    return out + "'";
}

}  // namespace millrace::config
