#include "transcoder/media/decoding_times.h"

#include <algorithm>

namespace millrace::media {
namespace {

constexpr Ticks kUnevenDelay = kTicksPerSecond / 4;

}  // namespace

std::vector<Ticks> decoding_times(const std::vector<Ticks>& shown,
                                  const std::vector<Ticks>& packets, std::optional<Ticks> delay,
                                  Ticks floor) {
    Ticks needed = 0;
    for (std::size_t n = 0; n < packets.size(); ++n)
        needed = std::max(needed, shown[n] - packets[n]);
    const Ticks usual = delay ? *delay : needed > 0 ? kUnevenDelay : 0;
    const Ticks ahead = std::max(usual, needed);
    std::vector<Ticks> times;
    for (std::size_t n = 0; n < packets.size(); ++n) {
        const Ticks least = times.empty() ? floor : std::max(floor, times.back() + 1);
        times.push_back(std::min(std::max(shown[n] - ahead, least), packets[n]));
    }
    return times;
}

}  // namespace millrace::media
