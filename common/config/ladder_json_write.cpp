#include <nlohmann/json.hpp>

#include "common/config/ladder_json.h"
#include "common/config/ladder_names.h"

namespace millrace::config {
namespace {

using Json = nlohmann::ordered_json;

std::string seconds_text(std::int64_t ms) {
    std::string fraction = std::to_string(ms % 1000 + 1000).substr(1);
    return std::to_string(ms / 1000) + "." + fraction;
}

Json audio_json(const AudioSpec& audio) {
    if (audio.mode != AudioMode::encode)
        return audio.mode == AudioMode::copy ? "copy" : "none";
    Json out{{"codec", word_of(kAudioCodecWords, audio.codec)}};
    if (audio.bitrate != 0)
        out["bitrate"] = audio.bitrate;
    if (audio.rate != 0)
        out["rate"] = audio.rate;
    if (audio.channels != 0)
        out["channels"] = audio.channels;
    return out;
}

void write_picture(const RenditionSpec& spec, Json& out) {
    out["encoder"] = word_of(kEncoderWords, spec.codec);
    if (spec.profile != VideoProfile::automatic)
        out["profile"] = word_of(kProfileWords, spec.profile);
    if (spec.gop_ms == kGopIntra)
        out["gop"] = "intra";
    else if (spec.gop_ms != kGopDefault)
        out["gop"] = seconds_text(spec.gop_ms);
    if (spec.color_depth != 8)
        out["colorDepth"] = spec.color_depth;
    if (spec.chroma != ChromaFormat::yuv420)
        out["chromaFormat"] = static_cast<int>(spec.chroma);
    if (spec.quality != 0)
        out["quality"] = spec.quality;
}

Json rendition_json(const RenditionSpec& spec) {
    Json out{{"name", spec.name},       {"width", spec.width}, {"height", spec.height},
             {"bitrate", spec.bitrate}, {"fps", spec.fps.num}, {"fpsDen", spec.fps.den}};
    write_picture(spec, out);
    out["container"] = word_of(kContainerWords, spec.container);
    out["audio"] = audio_json(spec.audio);
    if (!spec.preset.empty())
        out["preset"] = spec.preset;
    out["upscale"] = word_of(kUpscaleWords, spec.upscale);
    if (spec.bypass != Bypass::never)
        out["bypass"] = word_of(kBypassWords, spec.bypass);
    if (spec.data != DataStreams::pass)
        out["data"] = word_of(kDataWords, spec.data);
    if (spec.scaling != Scaling::direct)
        out["scaling"] = word_of(kScalingWords, spec.scaling);
    return out;
}

}  // namespace

std::string to_json(const Ladder& ladder) {
    Json out = Json::array();
    for (const RenditionSpec& spec : ladder)
        out.push_back(rendition_json(spec));
    return out.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace millrace::config
