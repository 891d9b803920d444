#include "transcoder/media/id3.h"

#include <algorithm>

namespace millrace::media {
namespace {

constexpr std::size_t kFlagsAndSize = 5;  // of the tag, behind what may be missing
constexpr std::size_t kFrameHeader = 10;

std::size_t size_at(std::span<const std::uint8_t> bytes, std::size_t at, unsigned bits) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < 4; ++i)
        size = size << bits | bytes[at + i];
    return size;
}

// The frames fill the tag when their sizes have that many bits to the byte. Padding is zeros.
bool frames_fit(std::span<const std::uint8_t> frames, unsigned bits) {
    while (frames.size() >= kFrameHeader && frames[0] != 0) {
        const std::size_t whole = kFrameHeader + size_at(frames, 4, bits);
        if (whole > frames.size())
            return false;
        frames = frames.subspan(whole);
    }
    return std::ranges::all_of(frames, [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

std::vector<std::uint8_t> whole_id3(std::span<const std::uint8_t> packet) {
    if (packet.size() >= 3 && packet[0] == 'I' && packet[1] == 'D' && packet[2] == '3')
        return {packet.begin(), packet.end()};
    const auto frames = packet.subspan(std::min(kFlagsAndSize, packet.size()));
    const bool third = !frames_fit(frames, 7) && frames_fit(frames, 8);
    std::vector<std::uint8_t> tag{'I', 'D', '3', static_cast<std::uint8_t>(third ? 3 : 4), 0};
    tag.insert(tag.end(), packet.begin(), packet.end());
    return tag;
}

}  // namespace millrace::media
