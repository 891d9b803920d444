#include "common/runtime/log_text.h"

#include <cstdint>

namespace millrace::log {
namespace {

constexpr char kHex[] = "0123456789abcdef";

std::uint8_t byte_at(std::string_view text, std::size_t i) {
    return i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0;
}

bool continues(std::string_view text, std::size_t i) {
    return (byte_at(text, i) & 0xC0) == 0x80;
}

// Length of the UTF-8 character at the front (RFC 3629); 0 = not one, or a control character.
std::size_t printable_length(std::string_view text) {
    const std::uint8_t first = byte_at(text, 0);
    const std::uint8_t second = byte_at(text, 1);
    if (first < 0x80)
        return first >= 0x20 && first != 0x7F ? 1 : 0;
    if (first >= 0xC2 && first < 0xE0 && continues(text, 1))
        return first == 0xC2 && second < 0xA0 ? 0 : 2;  // C1 controls
    if ((first & 0xF0) == 0xE0 && continues(text, 1) && continues(text, 2)) {
        const bool overlong = first == 0xE0 && second < 0xA0;
        const bool surrogate = first == 0xED && second >= 0xA0;
        const bool line_break = first == 0xE2 && second == 0x80 &&
                                (byte_at(text, 2) == 0xA8 || byte_at(text, 2) == 0xA9);
        return overlong || surrogate || line_break ? 0 : 3;
    }
    if (first >= 0xF0 && first <= 0xF4 && continues(text, 1) && continues(text, 2) &&
        continues(text, 3)) {
        const bool outside = (first == 0xF0 && second < 0x90) || (first == 0xF4 && second >= 0x90);
        return outside ? 0 : 4;
    }
    return 0;
}

// Hands out characters: keep(character) for what may stay, escape(byte) for what may not.
template <class Keep, class Escape>
void walk(std::string_view text, Keep keep, Escape escape) {
    const bool cut = text.size() > kValueMax;
    text = text.substr(0, kValueMax);
    while (!text.empty()) {
        const std::size_t length = printable_length(text);
        if (length == 0)
            escape(byte_at(text, 0));
        else
            keep(text.substr(0, length));
        text.remove_prefix(length == 0 ? 1 : length);
    }
    if (cut)
        keep("...");
}

}  // namespace

void append_plain(std::string& line, std::string_view text) {
    walk(
        text, [&](std::string_view character) { line += character; },
        [&](std::uint8_t byte) {
            line += "\\x";
            line += kHex[byte >> 4];
            line += kHex[byte & 15];
        });
}

void append_value(std::string& line, std::string_view text) {
    std::string safe;
    append_plain(safe, text);
    if (!safe.empty() && safe.find_first_of(" \"=\\") == std::string::npos) {
        line += safe;
        return;
    }
    line += '"';
    for (const char c : safe) {
        if (c == '"')
            line += '\\';
        line += c;
    }
    line += '"';
}

void append_json(std::string& line, std::string_view text) {
    line += '"';
    walk(
        text,
        [&](std::string_view character) {
            if (character == "\"" || character == "\\")
                line += '\\';
            line += character;
        },
        [&](std::uint8_t byte) {
            if (byte >= 0x80) {
                line += "\\ufffd";
                return;
            }
            line += "\\u00";
            line += kHex[byte >> 4];
            line += kHex[byte & 15];
        });
    line += '"';
}

}  // namespace millrace::log
