#include "transcoder/media/devices.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>

#include "transcoder/media/av.h"
#include "transcoder/media/decoder.h"
#include "transcoder/media/video_encoder.h"

namespace millrace::media {
namespace {

constexpr const char* kVideoDecoder = "video decoder";
constexpr const char* kVideoEncoder = "video encoder";

struct Candidate {
    AVCodecID codec;
    const char* name;
    bool used;
};

constexpr std::array<AVCodecID, 6> kDecoded{AV_CODEC_ID_H264, AV_CODEC_ID_HEVC,
                                            AV_CODEC_ID_VP8,  AV_CODEC_ID_VP9,
                                            AV_CODEC_ID_AV1,  AV_CODEC_ID_MPEG2VIDEO};
constexpr std::array<Candidate, 8> kVideoEncoders{{{AV_CODEC_ID_H264, "libx264", true},
                                                   {AV_CODEC_ID_HEVC, "libx265", true},
                                                   {AV_CODEC_ID_VP9, "libvpx-vp9", true},
                                                   {AV_CODEC_ID_AV1, "libaom-av1", true},
                                                   {AV_CODEC_ID_AV1, "libsvtav1", false},
                                                   {AV_CODEC_ID_H264, "h264_nvenc", false},
                                                   {AV_CODEC_ID_HEVC, "hevc_nvenc", false},
                                                   {AV_CODEC_ID_AV1, "av1_nvenc", false}}};

Ability try_decoder(AVCodecID id) {
    const char* name = decoder_name(id);
    Ability ability{kVideoDecoder, av::codec_name(id), name, false, true, {}};
    const AVCodec* codec = avcodec_find_decoder_by_name(name);
    if (codec == nullptr) {
        ability.reason = "not in this FFmpeg";
        return ability;
    }
    const av::CodecPtr context(avcodec_alloc_context3(codec));
    const int rc = avcodec_open2(context.get(), codec, nullptr);
    ability.works = rc >= 0;
    if (rc < 0)
        ability.reason = av::words(rc);
    return ability;
}

Ability try_candidate(const Candidate& candidate) {
    const auto tried = try_encoder(candidate.name);
    return {kVideoEncoder,  av::codec_name(candidate.codec),
            candidate.name, tried.has_value(),
            candidate.used, tried ? std::string{} : tried.error().message};
}

std::string cpu_model() {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);)
        if (line.starts_with("model name"))
            return line.substr(std::min(line.size(), line.find(':') + 2));
    return "unknown CPU";
}

}  // namespace

namespace {

Capabilities capabilities_of(const std::vector<Ability>& abilities) {
    Capabilities found;
    found.containers_out = {Container::mpegts, Container::mp4};
    for (const Ability& ability : abilities) {
        if (!ability.works || !ability.used)
            continue;
        const AVCodecID id = avcodec_find_decoder_by_name(ability.name.c_str()) != nullptr
                                 ? avcodec_find_decoder_by_name(ability.name.c_str())->id
                                 : avcodec_find_encoder_by_name(ability.name.c_str())->id;
        if (ability.kind == kVideoDecoder)
            found.decode.push_back(av::video_codec(id));
        else
            found.encode.push_back(av::video_codec(id));
    }
    found.color_depth_max = found.encode.empty() ? 8 : 10;
    return found;
}

std::vector<Ability> try_all(bool unused_too) {
    av::set_up_logging();
    std::vector<Ability> abilities;
    for (const AVCodecID id : kDecoded)
        abilities.push_back(try_decoder(id));
    for (const Candidate& candidate : kVideoEncoders)
        if (candidate.used || unused_too)
            abilities.push_back(try_candidate(candidate));
    return abilities;
}

}  // namespace

Survey survey() {
    setenv("SVT_LOG", "1", 0);  // SVT-AV1 greets on stderr otherwise; 1 = errors
    Survey found;
    found.cpu = cpu_model();
    found.ffmpeg = av_version_info();
    found.abilities = try_all(true);
    found.capabilities = capabilities_of(found.abilities);
    return found;
}

Capabilities capabilities() {
    return capabilities_of(try_all(false));
}

}  // namespace millrace::media
