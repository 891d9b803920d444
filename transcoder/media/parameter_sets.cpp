#include "transcoder/media/parameter_sets.h"

#include <algorithm>
#include <string>

#include "common/runtime/sha256.h"

namespace millrace::media {
namespace {

using Bytes = std::span<const std::uint8_t>;

std::uint32_t big_endian_32(Bytes bytes, std::size_t at) {
    return std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 |
           std::uint32_t{bytes[at + 2]} << 8 | std::uint32_t{bytes[at + 3]};
}

bool named(Bytes bytes, std::size_t at, std::string_view name) {
    return std::equal(name.begin(), name.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

bool is_parameter_set(AVCodecID codec, std::uint8_t first_byte) {
    if (codec == AV_CODEC_ID_H264) {
        const int type = first_byte & 0x1f;  // ITU-T H.264, table 7-1: sequence and picture
        return type == 7 || type == 8;
    }
    const int type = first_byte >> 1 & 0x3f;  // ITU-T H.265, table 7-1: video, sequence, picture
    return codec == AV_CODEC_ID_HEVC && type >= 32 && type <= 34;
}

}  // namespace

std::size_t init_part(Bytes mp4) {
    std::size_t at = 0;
    while (at + 8 <= mp4.size()) {
        const std::size_t size = big_endian_32(mp4, at);
        if (named(mp4, at + 4, "moof") || size < 8 || size > mp4.size() - at)
            return at;
        at += size;
    }
    return at;
}

Bytes box(Bytes init, std::string_view name) {
    for (std::size_t at = 0; at + 8 <= init.size(); ++at) {
        if (!named(init, at + 4, name))
            continue;
        const std::size_t size = big_endian_32(init, at);
        if (size >= 8 && size <= init.size() - at)
            return init.subspan(at + 8, size - 8);
    }
    return {};
}

std::vector<Bytes> nal_units(Bytes annex_b) {
    std::vector<Bytes> units;
    std::size_t start = 0;  // of the unit that is open; 0 = none
    for (std::size_t at = 0; at + 3 <= annex_b.size(); ++at) {
        if (annex_b[at] != 0 || annex_b[at + 1] != 0 || annex_b[at + 2] != 1)
            continue;
        if (start > 0)
            units.push_back(annex_b.subspan(start, at - start));
        start = at + 3;
        at += 2;
    }
    if (start > 0 && start < annex_b.size())
        units.push_back(annex_b.subspan(start));
    for (Bytes& unit : units)  // zeros before the next start code belong to that
        while (!unit.empty() && unit.back() == 0)
            unit = unit.first(unit.size() - 1);
    std::erase_if(units, [](Bytes unit) { return unit.empty(); });
    return units;
}

std::vector<std::uint8_t> parameter_sets(AVCodecID codec, Bytes annex_b) {
    std::vector<std::uint8_t> sets;
    for (const Bytes unit : nal_units(annex_b))
        if (is_parameter_set(codec, unit.front()))
            sets.insert(sets.end(), unit.begin(), unit.end());
    return sets;
}

Sha256 fingerprint(Bytes video_sets, const AVCodecParameters* audio) {
    Sha256Hasher hasher;
    hasher.update(video_sets);
    const std::string sound = audio == nullptr
                                  ? "no audio"
                                  : av::codec_name(audio->codec_id) + " " +
                                        std::to_string(audio->sample_rate) + " Hz " +
                                        std::to_string(audio->ch_layout.nb_channels) + " channels";
    hasher.update({reinterpret_cast<const std::uint8_t*>(sound.data()), sound.size()});
    return hasher.finish();
}

}  // namespace millrace::media
