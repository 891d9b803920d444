#include "transcoder/media/sniff.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace millrace::media {
namespace {

constexpr std::size_t kJunkMax = 1024;   // bytes before the first TS packet
constexpr std::uint8_t kSync = 0x47;     // ISO 13818-1, 2.4.3.3
constexpr std::size_t kGridPackets = 4;  // sync bytes that must be in step

bool ts_grid_at(std::span<const std::uint8_t> head, std::size_t at, std::size_t packet) {
    std::size_t seen = 0;
    for (; seen < kGridPackets && at + seen * packet < head.size(); ++seen)
        if (head[at + seen * packet] != kSync)
            return false;
    // Short segments have fewer packets than the rule wants; one lone packet at the start will do.
    return seen == kGridPackets || (at + seen * packet >= head.size() && (seen > 1 || at == 0));
}

bool is_ts(std::span<const std::uint8_t> head) {
    constexpr std::array<std::size_t, 3> kPackets{188, 192, 204};
    for (std::size_t at = 0; at < std::min(head.size(), kJunkMax); ++at)
        if (head[at] == kSync)
            for (const std::size_t packet : kPackets)
                if (head.size() - at >= 188 && ts_grid_at(head, at, packet))
                    return true;
    return false;
}

std::string_view box_name(std::span<const std::uint8_t> bytes, std::size_t at) {
    return {reinterpret_cast<const char*>(bytes.data()) + at + 4, 4};
}

bool is_mp4(std::span<const std::uint8_t> head) {
    constexpr std::array<std::string_view, 11> kFirst{
        "ftyp", "styp", "moov", "moof", "sidx", "emsg", "prft", "mdat", "free", "skip", "wide"};
    return head.size() >= 8 && std::ranges::find(kFirst, box_name(head, 0)) != kFirst.end();
}

std::uint64_t big_endian(std::span<const std::uint8_t> bytes, std::size_t at, std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count; ++i)
        value = value << 8 | bytes[at + i];
    return value;
}

bool starts_with(std::span<const std::uint8_t> bytes, std::string_view text) {
    return bytes.size() >= text.size() &&
           std::equal(text.begin(), text.end(), bytes.begin(),
                      [](char c, std::uint8_t b) { return static_cast<std::uint8_t>(c) == b; });
}

bool is_text(std::span<const std::uint8_t> head) {
    return std::ranges::all_of(head.first(std::min<std::size_t>(head.size(), 512)), [](auto byte) {
        return byte == '\t' || byte == '\n' || byte == '\r' || (byte >= 0x20 && byte != 0x7f);
    });
}

}  // namespace

Container sniff(std::span<const std::uint8_t> head) {
    constexpr std::string_view kEbml{"\x1a\x45\xdf\xa3", 4};  // RFC 8794, 11.2.1
    if (starts_with(head, kEbml))
        return Container::matroska;
    if (is_mp4(head))
        return Container::mp4;
    return is_ts(head) ? Container::mpegts : Container::unknown;
}

std::string describe(std::span<const std::uint8_t> head) {
    if (head.empty())
        return "nothing at all";
    if (starts_with(head, "FLV"))
        return "FLV";
    if (starts_with(head, "RIFF"))
        return "a RIFF file";
    if (starts_with(head, "#EXTM3U"))
        return "an HLS playlist";
    if (starts_with(head, {"\0\0\1", 3}) || starts_with(head, {"\0\0\0\1", 4}))
        return "a raw video stream without a container";
    if (is_text(head))
        return starts_with(head, "<") ? "an HTML or XML text" : "a text";
    return "bytes of no known container";
}

TopBoxes top_boxes(std::span<const std::uint8_t> bytes) {
    TopBoxes found;
    std::uint64_t at = 0;
    while (at + 8 <= bytes.size()) {
        const std::string_view name = box_name(bytes, at);
        found.moov |= name == "moov";
        found.moof |= name == "moof";
        found.mdat |= name == "mdat";
        std::uint64_t size = big_endian(bytes, at, 4);
        if (size == 1 && at + 16 <= bytes.size())
            size = big_endian(bytes, at + 8, 8);
        if (size < 8 || size > bytes.size() - at)
            break;  // to the end of the file, or beyond what is here
        at += size;
    }
    return found;
}

}  // namespace millrace::media
