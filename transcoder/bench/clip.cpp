#include "transcoder/bench/clip.h"

#include <fstream>
#include <iterator>

#include "transcoder/media/synthetic.h"

namespace millrace::bench {

Result<Clip> load_clip(const std::vector<std::string>& files, const SegmentLimits& limits) {
    const auto pool = std::make_shared<BlockPool>();
    Clip clip;
    for (const std::string& path : files) {
        std::ifstream file(path, std::ios::binary | std::ios::ate);
        if (!file)
            return error(ErrorKind::bad_input, "cannot read " + path);
        if (static_cast<std::uint64_t>(file.tellg()) > limits.body_bytes)
            return error(ErrorKind::bad_input,
                         path + " is larger than a segment may be (" +
                             std::to_string(limits.body_bytes) +
                             " bytes); cut it first: ffmpeg -i " + path +
                             " -c copy -f segment -segment_time 2 part_%d.ts");
        file.seekg(0);
        const std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
        if (bytes.empty())
            return error(ErrorKind::bad_input, path + " is empty");
        clip.push_back(make_payload(pool, bytes));
    }
    return clip;
}

Result<Clip> make_clip(const Synthetic& wish) {
    const auto pool = std::make_shared<BlockPool>();
    Clip clip;
    auto segments =
        media::synthetic_segments({wish.size, wish.bitrate, wish.segments, wish.seconds});
    if (!segments)
        return segments.error();
    for (const auto& bytes : *segments)
        clip.push_back(make_payload(pool, bytes));
    return clip;
}

}  // namespace millrace::bench
