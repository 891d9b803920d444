#include "transcoder/media/devices.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "transcoder/media/audio_encoder.h"
#include "transcoder/media/decoder.h"
#include "transcoder/media/filter_chain.h"
#include "transcoder/media/video_encoder.h"

namespace millrace::media {
namespace {

struct Candidate {
    AVCodecID codec;
    const char* name;
    const char* unused;  // why this version does not take it; null: it does
};

constexpr const char* kNoGpu = "GPUs are not used by this version";
constexpr std::array<AVCodecID, 6> kVideoDecoded{AV_CODEC_ID_H264, AV_CODEC_ID_HEVC,
                                                 AV_CODEC_ID_VP8,  AV_CODEC_ID_VP9,
                                                 AV_CODEC_ID_AV1,  AV_CODEC_ID_MPEG2VIDEO};
constexpr std::array<AVCodecID, 6> kAudioDecoded{AV_CODEC_ID_AAC,  AV_CODEC_ID_AC3,
                                                 AV_CODEC_ID_MP2,  AV_CODEC_ID_MP3,
                                                 AV_CODEC_ID_OPUS, AV_CODEC_ID_VORBIS};
constexpr std::array<Candidate, 8> kVideoEncoders{
    {{AV_CODEC_ID_H264, "libx264", nullptr},
     {AV_CODEC_ID_HEVC, "libx265", nullptr},
     {AV_CODEC_ID_VP9, "libvpx-vp9", nullptr},
     {AV_CODEC_ID_AV1, "libaom-av1", nullptr},
     {AV_CODEC_ID_AV1, "libsvtav1", "it ignores asked key frames through FFmpeg 5.1"},
     {AV_CODEC_ID_H264, "h264_nvenc", kNoGpu},
     {AV_CODEC_ID_HEVC, "hevc_nvenc", kNoGpu},
     {AV_CODEC_ID_AV1, "av1_nvenc", kNoGpu}}};
constexpr std::array<AudioCodec, 2> kAudioEncoders{AudioCodec::aac, AudioCodec::opus};

struct Filter {
    const char* name;
    const char* serves;
    const char* chain;
};
constexpr std::array<Filter, 3> kFilters{
    {{"bwdif", "deinterlacing", "bwdif=mode=send_frame"},
     {"zscale", "HDR to SDR", "zscale=w=32:h=32"},
     {"tonemap", "HDR to SDR", "format=gbrpf32le,tonemap=tonemap=hable,format=yuv420p"}}};

Ability judged(const char* kind, std::string codec, const char* name, const Result<void>& tried) {
    return {kind, std::move(codec),
            name, tried.has_value(),
            true, tried ? std::string{} : tried.error().message};
}

Result<void> try_decoder(const AVCodec* codec) {
    if (codec == nullptr)
        return error(ErrorKind::unsupported, "not in this FFmpeg");
    if (codec->id == AV_CODEC_ID_VORBIS)
        return {};  // it cannot be opened without a stream's headers
    const av::CodecPtr context(avcodec_alloc_context3(codec));
    const int rc = avcodec_open2(context.get(), codec, nullptr);
    return rc < 0 ? Result<void>(av::error(ErrorKind::unsupported, "opening it", rc))
                  : Result<void>();
}

// Half a second of nothing.
Result<void> try_audio_encoder(AudioCodec codec) {
    AVCodecParameters source{};
    source.codec_type = AVMEDIA_TYPE_AUDIO;
    source.codec_id = AV_CODEC_ID_MP2;
    source.sample_rate = 48'000;
    av_channel_layout_default(&source.ch_layout, 2);
    const auto opened = AudioEncoder::open({.mode = AudioMode::encode, .codec = codec}, source, 0);
    return opened ? (*opened)->try_out() : Result<void>(opened.error());
}

Result<void> try_filter(const Filter& filter) {
    const av::FramePtr picture = grey_picture({64, 64});
    auto chain = FilterChain::open(*picture, filter.chain);
    if (!chain)
        return chain.error();
    MR_TRY(chain->push(*picture));
    chain->drain();
    const auto pulled = chain->pull();
    if (!pulled)
        return pulled.error();
    return *pulled ? Result<void>()
                   : Result<void>(error(ErrorKind::unsupported, "it gave no picture"));
}

std::string cpu_model() {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);)
        if (line.starts_with("model name"))
            return line.substr(std::min(line.size(), line.find(':') + 2));
    return "unknown CPU";
}

// What a transcoder advertises follows from what works.
void try_decoders(std::vector<Ability>& abilities, Capabilities& capabilities) {
    for (const AVCodecID id : kVideoDecoded) {
        const char* name = decoder_name(id);
        const auto tried = try_decoder(avcodec_find_decoder_by_name(name));
        abilities.push_back(judged("video decoder", av::codec_name(id), name, tried));
        if (tried)
            capabilities.decode.push_back(av::video_codec(id));
    }
    for (const AVCodecID id : kAudioDecoded) {
        const AVCodec* codec = avcodec_find_decoder(id);
        const std::string codec_name = av::codec_name(id);
        abilities.push_back(judged("audio decoder", codec_name,
                                   codec == nullptr ? codec_name.c_str() : codec->name,
                                   try_decoder(codec)));
    }
}

void try_encoders(bool unused_too, std::vector<Ability>& abilities, Capabilities& capabilities) {
    for (const Candidate& candidate : kVideoEncoders) {
        if (candidate.unused != nullptr && !unused_too)
            continue;
        const auto tried = try_encoder(candidate.name);
        Ability ability =
            judged("video encoder", av::codec_name(candidate.codec), candidate.name, tried);
        ability.used = candidate.unused == nullptr;
        if (ability.works && !ability.used)
            ability.reason = candidate.unused;
        if (ability.works && ability.used)
            capabilities.encode.push_back(av::video_codec(candidate.codec));
        abilities.push_back(std::move(ability));
    }
    for (const AudioCodec codec : kAudioEncoders) {
        const auto tried = try_audio_encoder(codec);
        abilities.push_back(
            judged("audio encoder", std::string(to_string(codec)), encoder_name(codec), tried));
        if (tried)
            capabilities.audio_encode.push_back(codec);
    }
}

Capabilities everywhere() {
    Capabilities found;
    found.containers_out = {Container::mpegts, Container::mp4};
    found.color_depth_max = 10;  // Debian's encoders all take 10 bits; others say so when opened
    return found;
}

}  // namespace

std::string ffmpeg_version() {
    return av_version_info();
}

Survey survey() {
    av::set_up_logging();
    setenv("SVT_LOG", "1", 0);  // SVT-AV1 greets on stderr otherwise; 1 = errors
    Survey found;
    found.cpu = cpu_model();
    found.ffmpeg = ffmpeg_version();
    found.capabilities = everywhere();
    try_decoders(found.abilities, found.capabilities);
    try_encoders(true, found.abilities, found.capabilities);
    for (const Filter& filter : kFilters)
        found.abilities.push_back(judged("filter", filter.serves, filter.name, try_filter(filter)));
    return found;
}

Capabilities capabilities() {
    av::set_up_logging();
    Capabilities found = everywhere();
    std::vector<Ability> abilities;
    try_decoders(abilities, found);
    try_encoders(false, abilities, found);
    return found;
}

}  // namespace millrace::media
