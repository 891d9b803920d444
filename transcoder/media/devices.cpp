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

struct Candidate {
    AVCodecID codec;
    const char* name;
    bool used;
};

constexpr std::array<AVCodecID, 6> kDecoded{AV_CODEC_ID_H264, AV_CODEC_ID_HEVC,
                                            AV_CODEC_ID_VP8,  AV_CODEC_ID_VP9,
                                            AV_CODEC_ID_AV1,  AV_CODEC_ID_MPEG2VIDEO};
constexpr std::array<Candidate, 7> kVideoEncoders{{{AV_CODEC_ID_H264, "libx264", true},
                                                   {AV_CODEC_ID_HEVC, "libx265", false},
                                                   {AV_CODEC_ID_VP9, "libvpx-vp9", false},
                                                   {AV_CODEC_ID_AV1, "libsvtav1", false},
                                                   {AV_CODEC_ID_H264, "h264_nvenc", false},
                                                   {AV_CODEC_ID_HEVC, "hevc_nvenc", false},
                                                   {AV_CODEC_ID_AV1, "av1_nvenc", false}}};

Ability try_decoder(AVCodecID id) {
    const char* name = decoder_name(id);
    Ability ability{"video decoder", av::codec_name(id), name, false, true, {}};
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
    return {"video encoder", av::codec_name(candidate.codec),
            candidate.name,  tried.has_value(),
            candidate.used,  tried ? std::string{} : tried.error().message};
}

std::string cpu_model() {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);)
        if (line.starts_with("model name"))
            return line.substr(std::min(line.size(), line.find(':') + 2));
    return "unknown CPU";
}

}  // namespace

Survey survey() {
    av::set_up_logging();
    setenv("SVT_LOG", "1", 0);  // SVT-AV1 greets on stderr otherwise; 1 = errors
    Survey found;
    found.cpu = cpu_model();
    found.ffmpeg = av_version_info();
    for (const AVCodecID id : kDecoded) {
        found.abilities.push_back(try_decoder(id));
        if (found.abilities.back().works)
            found.capabilities.decode.push_back(av::video_codec(id));
    }
    for (const Candidate& candidate : kVideoEncoders) {
        found.abilities.push_back(try_candidate(candidate));
        const Ability& ability = found.abilities.back();
        if (ability.works && ability.used)
            found.capabilities.encode.push_back(av::video_codec(candidate.codec));
    }
    found.capabilities.containers_out = {Container::mpegts, Container::mp4};
    found.capabilities.color_depth_max = 10;
    return found;
}

}  // namespace millrace::media
