#include "transcoder/media/splice_info.h"

#include "transcoder/media/ts_data.h"

namespace millrace::media {
namespace {

constexpr std::uint8_t kTable = 0xfc;
constexpr std::uint8_t kInsert = 0x05;
constexpr std::uint8_t kTimeSignal = 0x06;
constexpr std::uint8_t kSegmentation = 0x02;  // segmentation_descriptor
constexpr std::uint32_t kCuei = 0x43554549;
constexpr std::size_t kCrcBytes = 4;

// Bits from the front; reading beyond the end gives zeros and is remembered.
class Bits {
public:
    explicit Bits(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
    std::uint64_t take(std::size_t count) {
        std::uint64_t value = 0;
        for (; count > 0; --count, ++at_) {
            const std::uint64_t bit =
                at_ / 8 < bytes_.size() ? bytes_[at_ / 8] >> (7 - at_ % 8) & 1U : 0;
            value = value << 1 | bit;
        }
        return value;
    }
    bool flag() { return take(1) != 0; }
    void skip(std::size_t count) { at_ += count; }
    [[nodiscard]] bool overrun() const { return at_ > bytes_.size() * 8; }
    [[nodiscard]] std::size_t byte() const { return at_ / 8; }

private:
    std::span<const std::uint8_t> bytes_;
    std::size_t at_ = 0;
};

std::optional<Ticks> splice_time(Bits& bits) {
    if (!bits.flag()) {
        bits.skip(7);
        return std::nullopt;
    }
    bits.skip(6);
    return static_cast<Ticks>(bits.take(33));
}

// splice_insert(), SCTE 35, 9.7.3.
void read_insert(Bits bits, Splice& out) {
    out.event_id = static_cast<std::uint32_t>(bits.take(32));
    const bool cancelled = bits.flag();
    bits.skip(7);
    if (cancelled)
        return;
    const bool leaves = bits.flag();
    const bool program = bits.flag();
    const bool has_duration = bits.flag();
    const bool at_once = bits.flag();
    bits.skip(4);
    if (program) {
        if (!at_once)
            out.at = splice_time(bits);
    } else {
        for (std::uint64_t left = bits.take(8); left > 0 && !bits.overrun(); --left) {
            bits.skip(8);
            if (const auto at = at_once ? std::nullopt : splice_time(bits); at && !out.at)
                out.at = at;
        }
    }
    if (has_duration) {
        bits.skip(7);
        out.duration = static_cast<Ticks>(bits.take(33));
    }
    if (!bits.overrun())
        out.kind = leaves ? SpliceKind::out : SpliceKind::in;
}

// Starts of breaks, advertisements and placement opportunities lead out of the programme, their
// ends back into it (SCTE 35, table 23): even and odd of 0x22 to 0x47.
SpliceKind kind_of(std::uint64_t segmentation_type) {
    if (segmentation_type < 0x22 || segmentation_type > 0x47 ||
        (segmentation_type > 0x23 && segmentation_type < 0x30))
        return SpliceKind::command;
    return segmentation_type % 2 == 0 ? SpliceKind::out : SpliceKind::in;
}

// segmentation_descriptor(), 10.3.3, from behind its length.
void read_segmentation(Bits bits, Splice& out) {
    if (bits.take(32) != kCuei)
        return;
    const auto event = static_cast<std::uint32_t>(bits.take(32));
    const bool cancelled = bits.flag();
    bits.skip(7);
    if (cancelled)
        return;
    const bool program = bits.flag();
    const bool has_duration = bits.flag();
    bits.skip(6);
    if (!program)
        bits.skip(bits.take(8) * 48);
    const Ticks duration = has_duration ? static_cast<Ticks>(bits.take(40)) : 0;
    bits.skip(8);
    bits.skip(bits.take(8) * 8);
    const SpliceKind kind = kind_of(bits.take(8));
    if (bits.overrun() || (out.kind != SpliceKind::command && kind == SpliceKind::command))
        return;
    out.kind = kind;
    out.event_id = event;
    out.duration = duration;
}

void read_descriptors(std::span<const std::uint8_t> loop, Splice& out) {
    while (loop.size() >= 2) {
        const std::size_t length = loop[1];
        if (length + 2 > loop.size())
            return;
        if (loop[0] == kSegmentation)
            read_segmentation(Bits(loop.subspan(2, length)), out);
        loop = loop.subspan(length + 2);
    }
}

}  // namespace

std::optional<Splice> parse_splice(std::span<const std::uint8_t> section) {
    Bits bits(section);
    if (bits.take(8) != kTable)
        return std::nullopt;
    bits.skip(4);
    const std::size_t length = bits.take(12);
    if (length + 3 > section.size() || length < 11 + kCrcBytes)
        return std::nullopt;
    const auto body = section.first(length + 3 - kCrcBytes);
    bits.skip(8);
    const bool encrypted = bits.flag();
    bits.skip(6);
    const auto adjustment = static_cast<Ticks>(bits.take(33));
    bits.skip(8 + 12);
    const std::size_t command_bytes = bits.take(12);
    const std::uint64_t command = bits.take(8);
    Splice out;
    if (encrypted)
        return out;
    const auto rest = body.subspan(bits.byte());
    if (command == kInsert) {
        read_insert(Bits(rest), out);
    } else if (command == kTimeSignal) {
        Bits time(rest);
        out.at = splice_time(time);
        const std::size_t used = command_bytes == 0xfff ? time.byte() : command_bytes;
        if (used + 2 <= rest.size())
            read_descriptors(rest.subspan(used + 2), out);
    }
    if (out.at)
        out.at = (*out.at + adjustment) % kWrap;
    return out;
}

std::vector<std::uint8_t> splice_moved(std::vector<std::uint8_t> section, Ticks at) {
    const auto said = parse_splice(section);
    if (!said || !said->at)
        return section;
    // pts_adjustment: the last bit of the fifth byte and the four that follow.
    Bits before(section);
    before.skip(4 * 8 + 7);
    const auto adjustment = static_cast<Ticks>(before.take(33)) + at - *said->at;
    auto put = [&section](std::size_t where, std::size_t bytes, std::uint64_t value) {
        for (std::size_t i = bytes; i-- > 0; value >>= 8)
            section[where + i] = static_cast<std::uint8_t>(value);
    };
    const auto bits = static_cast<std::uint64_t>(adjustment - floor_div(adjustment, kWrap) * kWrap);
    section[4] = static_cast<std::uint8_t>((section[4] & 0xfeU) | bits >> 32);
    put(5, 4, bits);
    const std::size_t end = (static_cast<std::size_t>(section[1] & 0x0fU) << 8 | section[2]) + 3;
    put(end - kCrcBytes, kCrcBytes, section_crc(std::span(section).first(end - kCrcBytes)));
    return section;
}

}  // namespace millrace::media
