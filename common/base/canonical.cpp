#include "common/base/canonical.h"

#include <algorithm>

namespace millrace {
namespace {

constexpr std::size_t kNumberBytes = 8;

}  // namespace

CanonicalWriter& CanonicalWriter::number(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    for (int shift = 56; shift >= 0; shift -= 8)
        bytes_ += static_cast<char>((bits >> shift) & 0xff);
    return *this;
}

CanonicalWriter& CanonicalWriter::text(std::string_view value) {
    number(static_cast<std::int64_t>(value.size()));
    bytes_ += value;
    return *this;
}

CanonicalWriter& CanonicalWriter::raw(std::span<const std::uint8_t> bytes) {
    bytes_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return *this;
}

CanonicalReader::CanonicalReader(std::string_view form, std::string_view bytes) : rest_(bytes) {
    good_ = text(form.size()) == form;
}

std::string_view CanonicalReader::take(std::size_t count) {
    good_ = good_ && count <= rest_.size();
    if (!good_)
        return {};
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
}

std::int64_t CanonicalReader::number() {
    std::uint64_t bits = 0;
    for (const char c : take(kNumberBytes))
        bits = (bits << 8) | static_cast<unsigned char>(c);
    return static_cast<std::int64_t>(bits);
}

std::string CanonicalReader::text(std::size_t bytes_max) {
    const auto size = static_cast<std::uint64_t>(number());
    good_ = good_ && size <= bytes_max;
    return std::string(take(static_cast<std::size_t>(size)));
}

void CanonicalReader::raw(std::span<std::uint8_t> out) {
    const std::string_view taken = take(out.size());
    std::fill(out.begin(), out.end(), std::uint8_t{0});
    std::copy(taken.begin(), taken.end(), out.begin());
}

}  // namespace millrace
