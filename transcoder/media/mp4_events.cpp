#include "transcoder/media/mp4_events.h"

#include <algorithm>
#include <limits>
#include <string_view>

namespace millrace::media {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kDurationUnknown = std::numeric_limits<std::uint32_t>::max();

void put(Bytes& to, std::uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i)
        to.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void put_text(Bytes& to, std::string_view text) {
    to.insert(to.end(), text.begin(), text.end());
    to.push_back(0);
}

// A cue is told from another by its bytes, but for the checksum that ends it: over all of them every
// section comes to the same. A tag by its time as well: the same title may come again.
std::uint32_t id_of(const Mp4Event& event) {
    constexpr std::size_t kChecksumBytes = 4;
    Bytes what = event.bytes;
    if (event.kind == DataKind::id3)
        put(what, static_cast<std::uint64_t>(event.at), 8);
    else
        what.resize(what.size() - std::min(what.size(), kChecksumBytes));
    return section_crc(what);
}

std::uint64_t duration_of(const Mp4Event& event) {
    const bool known = event.duration && *event.duration < Ticks{kDurationUnknown};
    return known ? static_cast<std::uint64_t>(*event.duration) : kDurationUnknown;
}

Bytes message(const Mp4Event& event) {
    Bytes box;
    for (const char letter : std::string_view("emsg"))
        box.push_back(static_cast<std::uint8_t>(letter));
    put(box, kVersion << 24, 4);  // and no flags
    put(box, kTicksPerSecond, 4);
    put(box, static_cast<std::uint64_t>(event.at), 8);
    put(box, duration_of(event), 4);
    put(box, id_of(event), 4);
    put_text(box, event.kind == DataKind::id3 ? kId3Scheme : kScte35Scheme);
    put_text(box, "");  // value
    box.insert(box.end(), event.bytes.begin(), event.bytes.end());
    Bytes whole;
    put(whole, box.size() + 4, 4);
    whole.insert(whole.end(), box.begin(), box.end());
    return whole;
}

}  // namespace

Bytes add_events(std::span<const std::uint8_t> mp4, std::size_t init_bytes,
                 const std::vector<Mp4Event>& events) {
    const auto init = mp4.first(init_bytes);
    const auto fragment = mp4.subspan(init_bytes);
    Bytes out(init.begin(), init.end());
    for (const Mp4Event& event : events) {
        const Bytes box = message(event);
        out.insert(out.end(), box.begin(), box.end());
    }
    out.insert(out.end(), fragment.begin(), fragment.end());
    return out;
}

}  // namespace millrace::media
