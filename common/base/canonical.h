#pragma once
// Canonical bytes: fields one after the other, each with one spelling, so that two sides who mean the same hash
// and sign the same bytes.
//
// A number is 8 bytes, big endian, two's complement; a text comes behind its length (a number); raw bytes stand
// alone where their length is fixed. What a text of a form is about stands first in it, with a version
// ("millrace-…/1"), so that the bytes of one form are never those of another.
//
// Thread: its owner's.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace millrace {

class CanonicalWriter {
public:
    explicit CanonicalWriter(std::string_view form) { text(form); }

    CanonicalWriter& number(std::int64_t value);
    CanonicalWriter& text(std::string_view value);
    CanonicalWriter& raw(std::span<const std::uint8_t> bytes);

    [[nodiscard]] const std::string& bytes() const { return bytes_; }

private:
    std::string bytes_;
};

// Reads back what a writer of the same form wrote. After the first field that is not there, or longer than it may
// be, everything reads as zero or empty, and whole() is false.
class CanonicalReader {
public:
    CanonicalReader(std::string_view form, std::string_view bytes);

    [[nodiscard]] std::int64_t number();
    [[nodiscard]] std::string text(std::size_t bytes_max);
    void raw(std::span<std::uint8_t> out);

    // Everything asked for was there, and nothing stands behind it.
    [[nodiscard]] bool whole() const { return good_ && rest_.empty(); }

private:
    [[nodiscard]] std::string_view take(std::size_t count);

    std::string_view rest_;
    bool good_ = true;
};

}  // namespace millrace
