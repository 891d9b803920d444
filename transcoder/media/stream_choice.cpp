#include "transcoder/media/stream_choice.h"

#include "common/base/check.h"

namespace millrace::media {
namespace {

bool can_read(const AVCodecParameters& parameters) {
    if (parameters.codec_type == AVMEDIA_TYPE_VIDEO) {
        const VideoCodec codec = av::video_codec(parameters.codec_id);
        return codec != VideoCodec::none && codec != VideoCodec::other;
    }
    const AudioCodec codec = av::audio_codec(parameters.codec_id);
    // A stream none of whose headers was whole cannot be written either.
    return codec != AudioCodec::none && codec != AudioCodec::other && parameters.sample_rate > 0 &&
           parameters.ch_layout.nb_channels > 0;
}

// Which stream FFmpeg's command line would take: the default one, else the largest, else the first.
std::int64_t rank(const AVStream& stream) {
    const AVCodecParameters& p = *stream.codecpar;
    const std::int64_t size = p.codec_type == AVMEDIA_TYPE_VIDEO ? std::int64_t{p.width} * p.height
                                                                 : p.ch_layout.nb_channels;
    return size + ((stream.disposition & AV_DISPOSITION_DEFAULT) != 0 ? 5'000'000 : 0);
}

// MP4 says how a player must turn the picture, as a matrix.
std::optional<av::Orientation> orientation_of(const AVStream& stream) {
    std::size_t size = 0;
    const std::uint8_t* matrix = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    return matrix == nullptr ? std::nullopt : std::optional(av::orientation_of({matrix, size}));
}

}  // namespace

std::string label_of(const AVStream& stream, Container container) {
    const char* type = av_get_media_type_string(stream.codecpar->codec_type);
    const std::string codec = stream.codecpar->codec_id == AV_CODEC_ID_NONE
                                  ? "unknown"
                                  : av::codec_name(stream.codecpar->codec_id);
    const std::string place = container == Container::mpegts
                                  ? "PID " + std::to_string(stream.id)
                                  : "track " + std::to_string(stream.index + 1);
    return codec + " " + (type != nullptr ? type : "unknown") + " stream (" + place + ")";
}

std::optional<DataKind> data_kind(const AVStream& stream) {
    switch (stream.codecpar->codec_id) {
        case AV_CODEC_ID_TIMED_ID3:
            return DataKind::id3;
        case AV_CODEC_ID_SCTE_35:
            return DataKind::scte35;
        default:
            return std::nullopt;
    }
}

BestStreams best_streams(const AVFormatContext& format, Container container, std::string& foreign) {
    BestStreams best{};
    for (unsigned i = 0; i < format.nb_streams; ++i) {
        AVStream& stream = *format.streams[i];
        stream.discard = AVDISCARD_ALL;
        const AVMediaType type = stream.codecpar->codec_type;
        const bool wanted = type == AVMEDIA_TYPE_VIDEO || type == AVMEDIA_TYPE_AUDIO;
        if (!wanted || (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) != 0)
            continue;
        if (!can_read(*stream.codecpar)) {
            foreign = label_of(stream, container);
            continue;
        }
        const AVStream*& slot = best[type == AVMEDIA_TYPE_VIDEO ? 0 : 1];
        if (slot == nullptr || rank(stream) > rank(*slot))
            slot = &stream;
    }
    return best;
}

av::ParametersPtr copy_of(const AVCodecParameters& parameters) {
    av::ParametersPtr copy(avcodec_parameters_alloc());
    MR_CHECK(copy && avcodec_parameters_copy(copy.get(), &parameters) >= 0, "out of memory");
    return copy;
}

VideoStream video_of(const AVStream& stream, Container container) {
    return {copy_of(*stream.codecpar),
            nominal_rate(av::rational(stream.avg_frame_rate), av::rational(stream.r_frame_rate)),
            stream.sample_aspect_ratio, orientation_of(stream), label_of(stream, container)};
}

const VideoStream* begins(const AVPacket& packet) {
    return packet.opaque_ref == nullptr
               ? nullptr
               : reinterpret_cast<const VideoStream*>(packet.opaque_ref->data);
}

void mark(AVPacket& packet, std::unique_ptr<VideoStream> stream) {
    constexpr auto kFree = [](void*, std::uint8_t* data) {
        delete reinterpret_cast<VideoStream*>(data);
    };
    packet.opaque_ref =
        av_buffer_create(reinterpret_cast<std::uint8_t*>(stream.get()), sizeof(VideoStream), kFree,
                         nullptr, AV_BUFFER_FLAG_READONLY);
    MR_CHECK(packet.opaque_ref != nullptr, "out of memory");
    (void)stream.release();
}

}  // namespace millrace::media
