#include "transcoder/media/sound_tail.h"

#include <algorithm>

#include "transcoder/media/parameter_sets.h"

namespace millrace::media {
namespace {

// The longest a packet lasts: Opus in 120 ms, with room for a hole after it.
constexpr Ticks kStepMax = kTicksPerSecond / 4;

Sha256 format_of(const AVCodecParameters& source) {
    return fingerprint({source.extradata, static_cast<std::size_t>(source.extradata_size)},
                       &source);
}

av::PacketPtr packet_of(const SoundPacket& sound, Ticks at) {
    av::PacketPtr packet = av::make_packet();
    MR_CHECK(av_new_packet(packet.get(), static_cast<int>(sound.bytes.size())) >= 0,
             "out of memory");
    std::ranges::copy(sound.bytes, packet->data);
    packet->pts = packet->dts = at;
    packet->time_base = av::kTickBase;
    return packet;
}

}  // namespace

void SoundTailKeeper::add(const AVPacket& packet) {
    av::PacketPtr share = av::make_packet();
    MR_CHECK(av_packet_ref(share.get(), &packet) >= 0, "out of memory");
    packets_.push_back(std::move(share));
    if (packets_.size() > kSoundPacketsMax)
        packets_.pop_front();
}

SoundTail SoundTailKeeper::tail(const AVCodecParameters& source, const SoundBefore& before) const {
    std::vector<av::PacketPtr> earlier;
    if (!packets_.empty() && packets_.size() < kSoundPacketsMax)
        earlier = before.leading_to(packets_.front()->pts, source);
    SoundTail tail;
    std::size_t room = kSoundBytesMax;
    const auto take = [&](const av::PacketPtr& packet) {
        const auto size = static_cast<std::size_t>(std::max(packet->size, 0));
        const Ticks at = packet->pts - before.origin;
        if (size == 0 || size > room || std::abs(at) > kSoundTimeMax ||
            tail.packets.size() == kSoundPacketsMax)
            return false;
        room -= size;
        tail.packets.push_back({at, {packet->data, packet->data + size}});
        return true;
    };
    // From the newest on; views of them are more than clang 14 makes of this library.
    if (std::all_of(packets_.rbegin(), packets_.rend(), take))
        (void)std::all_of(earlier.rbegin(), earlier.rend(), take);
    std::ranges::reverse(tail.packets);
    if (!tail.packets.empty())
        tail.format = format_of(source);
    return tail;
}

std::vector<av::PacketPtr> SoundBefore::leading_to(Ticks first,
                                                   const AVCodecParameters& source) const {
    std::vector<av::PacketPtr> packets;
    if (tail.packets.empty() || tail.format != format_of(source))
        return packets;
    Ticks next = first;
    for (auto sound = tail.packets.rbegin(); sound != tail.packets.rend(); ++sound) {
        Ticks at = sound->at + origin;
        if (wraps)  // to the turn of the clock that ends at the packet after it
            at += floor_div<Ticks>(next - at, kWrap) * kWrap;
        if (at >= next || next - at > kStepMax)
            break;
        packets.push_back(packet_of(*sound, at));
        next = at;
    }
    std::ranges::reverse(packets);
    return packets;
}

}  // namespace millrace::media
