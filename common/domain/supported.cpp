#include "common/domain/supported.h"

#include <algorithm>

namespace millrace {
namespace {

constexpr std::array<std::string_view, 10> kX264Presets{
    "ultrafast", "superfast", "veryfast", "faster",   "fast",
    "medium",    "slow",      "slower",   "veryslow", "placebo"};

class Problems {
public:
    Problems(std::size_t index, std::vector<FieldProblem>& out)
        : prefix_("[" + std::to_string(index) + "]."), out_(out) {}
    void refuse(std::string_view field, std::string detail) {
        out_.push_back({prefix_ + std::string(field), std::move(detail)});
    }

private:
    std::string prefix_;
    std::vector<FieldProblem>& out_;
};

void check_codec(const RenditionSpec& spec, Problems& problems) {
    if (spec.codec != VideoCodec::h264)
        problems.refuse("encoder", std::string(to_string(spec.codec)) +
                                       " cannot be encoded by this version; H.264 can");
    if (!spec.preset.empty() && std::ranges::find(kX264Presets, spec.preset) == kX264Presets.end())
        problems.refuse("preset", "\"" + spec.preset + "\" is not an x264 preset");
}

void check_picture(const RenditionSpec& spec, Problems& problems) {
    for (const auto& [field, value] : {std::pair{"width", spec.width}, {"height", spec.height}})
        if (value < 0 || value > kRenditionSideMax)
            problems.refuse(field, "at most " + std::to_string(kRenditionSideMax) + " pixels");
    if (spec.fps.num < 0 || spec.fps.den <= 0 || spec.fps.value() > kFrameRateMax)
        problems.refuse("fps", "at most " + std::to_string(kFrameRateMax) + " frames per second");
    if (spec.color_depth != 8 && spec.color_depth != 10)
        problems.refuse("colorDepth", "8 or 10 bits can be encoded");
    const bool beyond_high = spec.color_depth != 8 || spec.chroma != ChromaFormat::yuv420;
    if (beyond_high && spec.profile != VideoProfile::automatic)
        problems.refuse("profile",
                        "profiles up to High hold 8 bits and 4:2:0 only; leave the "
                        "profile out to get the one that fits");
    if (spec.quality < 0 || spec.quality > 51)
        problems.refuse("quality", "H.264 takes 1 to 51");
}

void check_streams(const RenditionSpec& spec, Problems& problems) {
    if (spec.audio.mode == AudioMode::encode)
        problems.refuse("audio", "this version copies audio or leaves it out; it does not encode");
    if (spec.bypass != Bypass::never)
        problems.refuse("bypass", "this version encodes every rendition");
}

}  // namespace

std::vector<FieldProblem> unsupported_fields(const Ladder& ladder) {
    std::vector<FieldProblem> found;
    for (std::size_t index = 0; index < ladder.size(); ++index) {
        Problems problems(index, found);
        check_codec(ladder[index], problems);
        check_picture(ladder[index], problems);
        check_streams(ladder[index], problems);
    }
    return found;
}

}  // namespace millrace
