#include "orchestrator/front/mp4_boxes.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace millrace::orchestrator {
namespace {

constexpr std::size_t kShortHeader = 8;
constexpr std::uint32_t kLongSize = 1;  // a 64-bit size follows the type
constexpr std::uint32_t kToTheEnd = 0;
// Nothing that is received is longer; sums of such sizes do not overflow.
constexpr std::uint64_t kSizeMax = std::uint64_t{1} << 48;

std::uint64_t big_endian(std::span<const std::uint8_t> bytes) {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : bytes)
        value = (value << 8) | byte;
    return value;
}

std::string_view type_of(std::span<const std::uint8_t> header) {
    return {reinterpret_cast<const char*>(header.data()) + 4, 4};
}

// What follows `moov`'s own header.
std::optional<std::span<const std::uint8_t>> inside_moov(std::span<const std::uint8_t> init) {
    while (init.size() >= kShortHeader) {
        const std::uint64_t size = big_endian(init.first(4));
        if (size < kShortHeader || size > init.size())
            return std::nullopt;
        if (type_of(init) == "moov")
            return init.subspan(kShortHeader, size - kShortHeader);
        init = init.subspan(size);
    }
    return std::nullopt;
}

}  // namespace

void BoxWalk::feed(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty() && !lost_) {
        const std::uint64_t skip = std::min<std::uint64_t>(next_ - fed_, bytes.size());
        fed_ += skip;
        bytes = bytes.subspan(skip);
        if (bytes.empty())
            return;
        header_.at(header_bytes_++) = bytes.front();
        bytes = bytes.subspan(1);
        ++fed_;
        ++next_;
        if (read_header())
            note_box();
    }
    fed_ += bytes.size();
}

// True when the header is complete: next_ is then where its box ends.
bool BoxWalk::read_header() {
    if (header_bytes_ < kShortHeader)
        return false;
    std::uint64_t size = big_endian(std::span(header_).first(4));
    if (size == kLongSize) {
        if (header_bytes_ < kHeaderMax)
            return false;
        size = big_endian(std::span(header_).subspan(kShortHeader));
    }
    if (size == kToTheEnd)
        size = kSizeMax;
    lost_ = size < header_bytes_ || size > kSizeMax;
    next_ += lost_ ? 0 : size - header_bytes_;
    header_bytes_ = 0;
    return true;
}

void BoxWalk::note_box() {
    const std::string_view type = type_of(header_);
    const bool decided = start_ != Start::undecided;
    ftyp_ |= type == "ftyp";
    samples_ |= type == "moof" || type == "mdat";
    if (type == "moov" && !lost_ && moov_end_ == 0)
        moov_end_ = next_;
    if (!decided && type == "moof" && !lost_)
        start_ = Start::bare;
    else if (!decided && (type == "moov" || type == "mdat" || lost_))
        start_ = Start::complete;
}

bool BoxWalk::only_init() const {
    return may_be_init() && ftyp_ && init_end() > 0 && header_bytes_ == 0 && fed_ == next_;
}

bool serves_fragments(std::span<const std::uint8_t> init) {
    auto boxes = inside_moov(init).value_or(std::span<const std::uint8_t>());
    while (boxes.size() >= kShortHeader) {
        if (type_of(boxes) == "mvex")
            return true;
        const std::uint64_t size = big_endian(boxes.first(4));
        if (size < kShortHeader || size > boxes.size())
            return false;
        boxes = boxes.subspan(size);
    }
    return false;
}

}  // namespace millrace::orchestrator
