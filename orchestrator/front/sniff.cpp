#include "orchestrator/front/sniff.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace millrace::orchestrator {
namespace {

constexpr std::uint8_t kSync = 0x47;
// ISO/IEC 13818-1 packets; with a 4-byte timestamp in front (M2TS); with 16 bytes of Reed-Solomon.
constexpr std::array<std::size_t, 3> kPacketSizes{188, 192, 204};
// A grid has to hold this many packets in a row to be believed, or to the end of a short body.
constexpr std::size_t kGridPackets = 5;
constexpr std::size_t kJunkMax = 1024;  // bytes in front of the first packet

// Boxes a file, a fragment or an initialisation segment begins with (ISO/IEC 14496-12, 23009-1).
constexpr std::array<std::string_view, 8> kBoxes{"ftyp", "styp", "moof", "moov",
                                                 "sidx", "emsg", "prft", "free"};
constexpr std::array<std::uint8_t, 4> kEbml{0x1a, 0x45, 0xdf, 0xa3};

bool packet_at(std::span<const std::uint8_t> head, std::size_t at) {
    // adaptation_field_control 00 is reserved: such packets are discarded by every decoder.
    return head[at] == kSync && at + 3 < head.size() && (head[at + 3] & 0x30) != 0;
}

bool grid_from(std::span<const std::uint8_t> head, std::size_t start, std::size_t size,
               bool whole) {
    std::size_t packets = 0;
    for (std::size_t at = start; packets < kGridPackets; at += size, ++packets) {
        if (at + 4 > head.size())
            break;
        if (!packet_at(head, at))
            return false;
    }
    // A short body: the first packet has to be there in full.
    return packets == kGridPackets || (whole && packets > 0 && start + 188 <= head.size());
}

bool mpegts(std::span<const std::uint8_t> head, bool whole) {
    for (std::size_t start = 0; start < std::min(head.size(), kJunkMax); ++start)
        for (const std::size_t size : kPacketSizes)
            if (head[start] == kSync && grid_from(head, start, size, whole))
                return true;
    return false;
}

bool mp4(std::span<const std::uint8_t> head) {
    if (head.size() < 8)
        return false;
    const std::uint32_t size = (std::uint32_t{head[0]} << 24) | (std::uint32_t{head[1]} << 16) |
                               (std::uint32_t{head[2]} << 8) | head[3];
    const std::string_view type(reinterpret_cast<const char*>(head.data()) + 4, 4);
    return (size == 1 || size >= 8) &&
           std::find(kBoxes.begin(), kBoxes.end(), type) != kBoxes.end();
}

bool matroska(std::span<const std::uint8_t> head) {
    return head.size() >= kEbml.size() && std::equal(kEbml.begin(), kEbml.end(), head.begin());
}

}  // namespace

Sniffed sniff(std::span<const std::uint8_t> head, bool whole) {
    if (matroska(head))
        return Sniffed::matroska;
    if (mp4(head))
        return Sniffed::mp4;
    if (mpegts(head, whole))
        return Sniffed::mpegts;
    return whole || head.size() >= kSniffBytes ? Sniffed::nothing : Sniffed::undecided;
}

void Sniffer::feed(std::span<const std::uint8_t> bytes) {
    if (verdict_ != Sniffed::undecided)
        return;
    const std::size_t some = std::min(bytes.size(), kSniffBytes - head_.size());
    head_.insert(head_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(some));
    verdict_ = sniff(head_, false);
}

Sniffed Sniffer::finish() {
    if (verdict_ == Sniffed::undecided)
        verdict_ = sniff(head_, true);
    return verdict_;
}

}  // namespace millrace::orchestrator
