#include "common/wire/fields.h"

#include <algorithm>
#include <cstring>

#include <kj/array.h>

namespace millrace::wire {

namespace {

constexpr std::size_t kWordBytes = sizeof(capnp::word);
constexpr std::uint64_t kTraversalWordsMin = 64 * 1024;
constexpr std::uint64_t kTraversalFactor = 8;  // shared sub-structures are read more than once
constexpr int kNestingMax = 16;

bool is_name_character(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '~' || c == '+' || c == '-';
}

}  // namespace

void malformed(std::string_view field, std::string_view problem) {
    std::string what(field);
    what += ' ';
    what += problem;
    throw Malformed(what);
}

std::int64_t non_negative(std::int64_t value, std::string_view field) {
    if (value < 0)
        malformed(field, "is negative");
    return value;
}

std::int32_t non_negative32(std::int32_t value, std::string_view field) {
    if (value < 0)
        malformed(field, "is negative");
    return value;
}

std::int64_t within(std::int64_t value, std::int64_t low, std::int64_t high,
                    std::string_view field) {
    if (value < low || value > high)
        malformed(field, "is out of range");
    return value;
}

std::string text(capnp::Text::Reader value, std::size_t bytes_max, std::string_view field) {
    if (value.size() > bytes_max)
        malformed(field, "is too long");
    return {value.begin(), value.size()};
}

std::string name_text(capnp::Text::Reader value, std::size_t bytes_max, std::string_view field) {
    std::string name = text(value, bytes_max, field);
    if (name.empty())
        malformed(field, "is missing");
    if (name == "." || name == ".." || !std::all_of(name.begin(), name.end(), is_name_character))
        malformed(field, "has characters that a name cannot have");
    return name;
}

std::string clipped(std::string_view value, std::size_t bytes_max) {
    if (value.size() <= bytes_max)
        return std::string(value);
    std::size_t end = bytes_max;
    while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xC0U) == 0x80U)
        --end;
    return std::string(value.substr(0, end));
}

Sha256 sha256(capnp::Data::Reader value, std::string_view field) {
    Sha256 hash;
    if (value.size() != hash.size())
        malformed(field, "is not 32 bytes long");
    std::copy(value.begin(), value.end(), hash.begin());
    return hash;
}

std::vector<std::uint8_t> to_bytes(capnp::MessageBuilder& message) {
    const auto segments = message.getSegmentsForOutput();
    std::vector<std::uint8_t> bytes(capnp::computeSerializedSizeInWords(segments) * kWordBytes);
    kj::ArrayOutputStream stream(kj::arrayPtr(bytes.data(), bytes.size()));
    capnp::writeMessage(stream, segments);
    return bytes;
}

void check_frame(std::span<const std::uint8_t> bytes, std::size_t bytes_max) {
    if (bytes.size() > bytes_max)
        malformed("message", "is too long");
    if (bytes.empty() || bytes.size() % kWordBytes != 0)
        malformed("message", "is not a whole number of words");
}

kj::Array<capnp::word> aligned_copy(std::span<const std::uint8_t> bytes) {
    auto words = kj::heapArray<capnp::word>(bytes.size() / kWordBytes);
    std::memcpy(words.begin(), bytes.data(), bytes.size());
    return words;
}

capnp::ReaderOptions reader_options(std::size_t words) {
    capnp::ReaderOptions options;
    options.traversalLimitInWords =
        std::max<std::uint64_t>(kTraversalWordsMin, kTraversalFactor * words);
    options.nestingLimit = kNestingMax;
    return options;
}

}  // namespace millrace::wire
