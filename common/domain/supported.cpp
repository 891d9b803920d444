#include "common/domain/supported.h"

#include <algorithm>
#include <array>

#include "common/domain/presets.h"

namespace millrace {
namespace {

constexpr std::int32_t kQualityMaxH26x = 51;
constexpr std::int32_t kQualityMax = 63;
// Sampling rates an AAC header has numbers for (ISO 14496-3, table 1.18).
constexpr std::array<std::int32_t, 12> kAacRates{96000, 88200, 64000, 48000, 44100, 32000,
                                                 24000, 22050, 16000, 12000, 11025, 8000};
constexpr std::int32_t kOpusRate = 48'000;  // RFC 6716: whatever came in, this comes out
constexpr std::int32_t kChannelsMax = 8;

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

bool is_h26x(VideoCodec codec) {
    return codec == VideoCodec::h264 || codec == VideoCodec::hevc;
}

void check_codec(const RenditionSpec& spec, Problems& problems) {
    const std::string codec(to_string(spec.codec));
    const bool vp9_or_av1 = spec.codec == VideoCodec::vp9 || spec.codec == VideoCodec::av1;
    if (!is_h26x(spec.codec) && !vp9_or_av1)
        problems.refuse("encoder", codec + " cannot be encoded; H.264, HEVC, VP9 and AV1 can");
    if (spec.container != Container::mpegts && spec.container != Container::mp4)
        problems.refuse("container", std::string(to_string(spec.container)) +
                                         " cannot be written; mpegts and mp4 can");
    if (vp9_or_av1 && spec.container == Container::mpegts)
        problems.refuse("container", codec + " needs mp4");
    if (!spec.preset.empty() && find_preset(spec.preset) == nullptr)
        problems.refuse("preset", "\"" + spec.preset +
                                      "\" is not a preset of the encoders here: ultrafast to "
                                      "veryslow and p1 to p7 are");
}

void check_profile(const RenditionSpec& spec, Problems& problems) {
    if (spec.profile == VideoProfile::automatic)
        return;
    if (spec.codec != VideoCodec::h264)
        problems.refuse("profile",
                        "is for H.264 only; the others' follows from colorDepth and "
                        "chromaFormat");
    if (spec.color_depth != 8 || spec.chroma != ChromaFormat::yuv420)
        problems.refuse("profile",
                        "profiles up to High hold 8 bits and 4:2:0 only; leave the "
                        "profile out to get the one that fits");
}

void check_picture(const RenditionSpec& spec, Problems& problems) {
    for (const auto& [field, value] : {std::pair{"width", spec.width}, {"height", spec.height}})
        if (value < 0 || value > kRenditionSideMax)
            problems.refuse(field, "at most " + std::to_string(kRenditionSideMax) + " pixels");
    if (spec.fps.num < 0 || spec.fps.den <= 0 || spec.fps.value() > kFrameRateMax)
        problems.refuse("fps", "at most " + std::to_string(kFrameRateMax) + " frames per second");
    if (spec.color_depth != 8 && spec.color_depth != 10)
        problems.refuse("colorDepth", "8 or 10 bits can be encoded");
    const std::int32_t worst = is_h26x(spec.codec) ? kQualityMaxH26x : kQualityMax;
    if (spec.quality < 0 || spec.quality > worst)
        problems.refuse(
            "quality", std::string(to_string(spec.codec)) + " takes 1 to " + std::to_string(worst));
}

void check_audio(const AudioSpec& audio, Problems& problems) {
    if (audio.mode != AudioMode::encode)
        return;
    if (audio.codec != AudioCodec::aac && audio.codec != AudioCodec::opus)
        problems.refuse("audio.codec", std::string(to_string(audio.codec)) +
                                           " cannot be encoded; aac and opus can");
    if (audio.channels < 0 || audio.channels > kChannelsMax || audio.channels == 7)
        problems.refuse("audio.channels", "1 to 6 or 8 channels can be encoded");
    const bool opus = audio.codec == AudioCodec::opus;
    if (opus && audio.rate != 0 && audio.rate != kOpusRate)
        problems.refuse("audio.rate", "Opus is always 48000 samples per second");
    if (!opus && audio.rate != 0 && std::ranges::find(kAacRates, audio.rate) == kAacRates.end())
        problems.refuse("audio.rate", "AAC has no such rate; 48000 and 44100 are the usual ones");
}

}  // namespace

std::vector<FieldProblem> unsupported_fields(const Ladder& ladder) {
    std::vector<FieldProblem> found;
    for (std::size_t index = 0; index < ladder.size(); ++index) {
        Problems problems(index, found);
        check_codec(ladder[index], problems);
        check_profile(ladder[index], problems);
        check_picture(ladder[index], problems);
        check_audio(ladder[index].audio, problems);
    }
    return found;
}

}  // namespace millrace
