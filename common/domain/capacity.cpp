#include "common/domain/capacity.h"

#include <algorithm>

namespace millrace {
namespace {

template <class T>
bool offers(const std::vector<T>& list, T wanted) {
    return std::find(list.begin(), list.end(), wanted) != list.end();
}

void add_once(std::vector<std::string>& list, std::string item) {
    if (std::find(list.begin(), list.end(), item) == list.end())
        list.push_back(std::move(item));
}

}  // namespace

Cost operator+(const Cost& a, const Cost& b) {
    return {a.decode_pixels + b.decode_pixels, a.encode_pixels + b.encode_pixels,
            a.encoder_sessions + b.encoder_sessions, a.bytes + b.bytes};
}

Cost operator-(const Cost& a, const Cost& b) {
    return {a.decode_pixels - b.decode_pixels, a.encode_pixels - b.encode_pixels,
            a.encoder_sessions - b.encoder_sessions, a.bytes - b.bytes};
}

bool fits(const Cost& need, const Cost& free, const Cost& capacity) {
    const auto fits_one = [](std::int64_t n, std::int64_t f, std::int64_t c) {
        return c == 0 || n <= f;
    };
    return fits_one(need.decode_pixels, free.decode_pixels, capacity.decode_pixels) &&
           fits_one(need.encode_pixels, free.encode_pixels, capacity.encode_pixels) &&
           fits_one(need.encoder_sessions, free.encoder_sessions, capacity.encoder_sessions) &&
           fits_one(need.bytes, free.bytes, capacity.bytes);
}

std::vector<std::string> missing_for(const Ladder& ladder, const Capabilities& offered) {
    std::vector<std::string> missing;
    for (const RenditionSpec& spec : ladder) {
        if (!offers(offered.encode, spec.codec))
            add_once(missing, std::string(to_string(spec.codec)) + " encoder");
        if (!offers(offered.containers_out, spec.container))
            add_once(missing, std::string(to_string(spec.container)) + " muxer");
        if (spec.audio.mode == AudioMode::encode && !offers(offered.audio_encode, spec.audio.codec))
            add_once(missing, std::string(to_string(spec.audio.codec)) + " encoder");
        if (spec.color_depth > offered.color_depth_max)
            add_once(missing, std::to_string(spec.color_depth) + "-bit encoding");
    }
    return missing;
}

}  // namespace millrace
