#include "transcoder/media/ts_parts.h"

#include <algorithm>

#include "transcoder/media/ts_data.h"

namespace millrace::media {
namespace {

// ISO 13818-1.
constexpr std::uint8_t kSync = 0x47;  // 2.4.3.3
constexpr std::uint8_t kPatTable = 0;
constexpr std::uint8_t kMapTable = 2;
constexpr std::size_t kSectionHead = 8;
constexpr std::size_t kCrc = 4;
constexpr std::size_t kReadBytes = 64 * 1024;
// Table 2-34: MPEG-1, MPEG-2, MPEG-4 part 2, H.264, HEVC; and what SMPTE calls VC-1.
constexpr std::array<std::uint8_t, 6> kVideoTypes{0x01, 0x02, 0x10, 0x1b, 0x24, 0xea};

using Bytes = std::span<const std::uint8_t>;

std::uint32_t pid_at(Bytes bytes, std::size_t at) {
    return std::uint32_t{bytes[at]} % 32 << 8 | bytes[at + 1];
}

std::size_t length_at(Bytes bytes, std::size_t at) {
    return std::size_t{bytes[at]} % 16 << 8 | bytes[at + 1];
}

// The section that begins in this packet and ends in it, undamaged and in force; else empty.
Bytes section_of(Bytes packet) {
    constexpr std::uint8_t kUnitStart = 0x40;
    constexpr std::uint8_t kAdaptation = 0x20;
    constexpr std::uint8_t kPayload = 0x10;
    if ((packet[1] & kUnitStart) == 0 || (packet[3] & kPayload) == 0)
        return {};
    std::size_t at = 4;
    if ((packet[3] & kAdaptation) != 0)
        at += 1U + packet[4];
    if (at >= packet.size())
        return {};
    at += 1U + packet[at];
    if (at + kSectionHead + kCrc > packet.size())
        return {};
    const std::size_t size = 3 + length_at(packet, at + 1);
    if (size < kSectionHead + kCrc || size > packet.size() - at)
        return {};
    const Bytes section = packet.subspan(at, size);
    const bool in_force = (section[5] & 1) != 0;
    return in_force && section_crc(section) == 0 ? section : Bytes{};
}

}  // namespace

std::size_t TsParts::read(std::span<std::uint8_t> out) {
    while (at_ == ready_)
        if (cut_ || !pull())
            return 0;
    const std::size_t count = std::min(out.size(), ready_ - at_);
    std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(at_), count, out.begin());
    at_ += count;
    return count;
}

bool TsParts::pull() {
    if (ended_)
        return false;
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at_));
    ready_ -= std::exchange(at_, 0);
    const std::size_t had = buffer_.size();
    buffer_.resize(had + kReadBytes);
    const std::size_t count = source_.read(std::span(buffer_).subspan(had));
    buffer_.resize(had + count);
    ended_ = count == 0;
    scan();
    return true;
}

void TsParts::scan() {
    while (!plain_ && !cut_ && ready_ + kPacket <= buffer_.size()) {
        const Packet packet = Packet(buffer_).subspan(ready_, kPacket);
        plain_ = packet[0] != kSync;
        if (!plain_ && changes(packet)) {
            cut_ = true;
            return;
        }
        ready_ += plain_ ? 0 : kPacket;
    }
    if (!cut_ && (plain_ || ended_))
        ready_ = buffer_.size();
}

bool TsParts::changes(Packet packet) {
    const std::uint32_t pid = pid_at(packet, 1);
    if (pid != 0 && pid != map_pid_)
        return false;
    const Packet section = section_of(packet);
    if (section.empty())
        return false;
    if (pid == 0 && section[0] == kPatTable)
        read_pat(packet, section);
    if (pid == 0 || section[0] != kMapTable)
        return false;
    auto videos = videos_in(section);
    const bool goes_on = std::ranges::any_of(videos, [this](const Video& video) {
        return std::ranges::find(videos_, video) != videos_.end();
    });
    const bool change = !videos_.empty() && !videos.empty() && !goes_on && parts_ < kPartsMax;
    if (!videos.empty())
        videos_ = std::move(videos);
    return change;
}

void TsParts::read_pat(Packet packet, Packet section) {
    int programmes = 0;
    for (std::size_t at = kSectionHead; at + 4 + kCrc <= section.size(); at += 4)
        if (section[at] != 0 || section[at + 1] != 0) {
            ++programmes;
            map_pid_ = pid_at(section, at + 2);
        }
    if (programmes != 1)
        map_pid_.reset();
    std::ranges::copy(packet, pat_.begin());
}

std::vector<TsParts::Video> TsParts::videos_in(Packet map) {
    constexpr std::size_t kInfoLengthAt = 10;
    std::vector<Video> videos;
    const std::size_t end = map.size() - kCrc;
    if (kInfoLengthAt + 2 > end)
        return videos;
    std::size_t at = kInfoLengthAt + 2 + length_at(map, kInfoLengthAt);
    while (at + 5 <= end) {
        if (std::ranges::find(kVideoTypes, map[at]) != kVideoTypes.end())
            videos.push_back({pid_at(map, at + 1), map[at]});
        at += 5 + length_at(map, at + 3);
    }
    return videos;
}

bool TsParts::next() {
    if (!cut_)
        return false;
    cut_ = false;
    ++parts_;
    // The map is known by now: it is passed over, not looked at again.
    buffer_.insert(buffer_.begin() + static_cast<std::ptrdiff_t>(ready_), pat_.begin(), pat_.end());
    ready_ += 2 * kPacket;
    scan();
    return true;
}

}  // namespace millrace::media
