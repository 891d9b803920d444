#include "transcoder/media/av.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "common/base/check.h"

namespace millrace::media::av {

FramePtr make_frame() {
    FramePtr frame(av_frame_alloc());
    MR_CHECK(frame != nullptr, "out of memory");
    return frame;
}

PacketPtr make_packet() {
    PacketPtr packet(av_packet_alloc());
    MR_CHECK(packet != nullptr, "out of memory");
    return packet;
}

FramePtr share(const AVFrame& frame) {
    FramePtr copy = make_frame();
    MR_CHECK(av_frame_ref(copy.get(), &frame) >= 0, "out of memory");
    return copy;
}

FramePtr without_pixels(const AVFrame& frame) {
    FramePtr copy = make_frame();
    MR_CHECK(av_frame_copy_props(copy.get(), &frame) >= 0, "out of memory");
    copy->width = frame.width;
    copy->height = frame.height;
    copy->format = frame.format;
    return copy;
}

std::string words(int rc) {
    std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
    av_strerror(rc, text.data(), text.size());
    return text.data();
}

Error error(ErrorKind kind, std::string_view operation, int rc, std::source_location where) {
    const bool starved = rc == AVERROR(ENOMEM);
    return Error{starved ? ErrorKind::overloaded : kind, std::string(operation) + ": " + words(rc),
                 where};
}

void set_up_logging() {
    static std::once_flag once;
    std::call_once(once, [] {
        if (std::getenv("MILLRACE_AV_LOG") == nullptr)
            av_log_set_callback([](void*, int, const char*, va_list) {});
    });
}

Options& Options::set(const char* key, const std::string& value) {
    MR_CHECK(av_dict_set(&dict_, key, value.c_str(), 0) >= 0, "out of memory");
    return *this;
}

Options& Options::set(const char* key, std::int64_t value) {
    MR_CHECK(av_dict_set_int(&dict_, key, value, 0) >= 0, "out of memory");
    return *this;
}

std::string Options::left_over() const {
    const AVDictionaryEntry* entry = av_dict_get(dict_, "", nullptr, AV_DICT_IGNORE_SUFFIX);
    return entry == nullptr ? std::string{} : entry->key;
}

VideoCodec video_codec(AVCodecID id) {
    switch (id) {
        case AV_CODEC_ID_NONE:
            return VideoCodec::none;
        case AV_CODEC_ID_H264:
            return VideoCodec::h264;
        case AV_CODEC_ID_HEVC:
            return VideoCodec::hevc;
        case AV_CODEC_ID_VP8:
            return VideoCodec::vp8;
        case AV_CODEC_ID_VP9:
            return VideoCodec::vp9;
        case AV_CODEC_ID_AV1:
            return VideoCodec::av1;
        case AV_CODEC_ID_MPEG2VIDEO:
            return VideoCodec::mpeg2;
        default:
            return VideoCodec::other;
    }
}

AudioCodec audio_codec(AVCodecID id) {
    switch (id) {
        case AV_CODEC_ID_NONE:
            return AudioCodec::none;
        case AV_CODEC_ID_AAC:
            return AudioCodec::aac;
        case AV_CODEC_ID_AC3:
            return AudioCodec::ac3;
        case AV_CODEC_ID_MP2:
            return AudioCodec::mp2;
        case AV_CODEC_ID_MP3:
            return AudioCodec::mp3;
        case AV_CODEC_ID_OPUS:
            return AudioCodec::opus;
        case AV_CODEC_ID_VORBIS:
            return AudioCodec::vorbis;
        default:
            return AudioCodec::other;
    }
}

std::string codec_name(AVCodecID id) {
    return avcodec_get_name(id);
}

Rational rational(AVRational value) {
    return value.num > 0 && value.den > 0 ? Rational{value.num, value.den} : Rational{};
}

std::span<const std::uint8_t> captions_of(const AVFrame& picture) {
    const AVFrameSideData* side = av_frame_get_side_data(&picture, AV_FRAME_DATA_A53_CC);
    return side == nullptr ? std::span<const std::uint8_t>() : std::span(side->data, side->size);
}

void set_captions(AVFrame& picture, std::span<const std::uint8_t> cc_data) {
    av_frame_remove_side_data(&picture, AV_FRAME_DATA_A53_CC);
    if (cc_data.empty())
        return;
    AVFrameSideData* side = av_frame_new_side_data(&picture, AV_FRAME_DATA_A53_CC, cc_data.size());
    MR_CHECK(side != nullptr, "out of memory");
    std::ranges::copy(cc_data, side->data);
}

Orientation orientation_of(std::span<const std::uint8_t> display_matrix) {
    std::array<std::int32_t, 9> matrix{};
    if (display_matrix.size() < sizeof matrix)
        return {};
    std::memcpy(matrix.data(), display_matrix.data(), sizeof matrix);
    const auto part = [&](std::size_t at) { return static_cast<double>(matrix[at]); };
    Orientation orientation;
    orientation.mirrored = part(0) * part(4) - part(1) * part(3) < 0;
    if (orientation.mirrored)  // without it, a turn is left: x goes the other way
        for (const std::size_t at : {std::size_t{0}, std::size_t{3}})
            matrix[at] = matrix[at] == INT32_MIN ? INT32_MAX : -matrix[at];
    const double degrees = av_display_rotation_get(matrix.data());  // counter-clockwise
    if (std::isnan(degrees))
        return {};
    const long quarters = std::lround(-degrees / 90.0);
    orientation.turn = static_cast<int>(((quarters % 4) + 4) % 4 * 90);
    return orientation;
}

}  // namespace millrace::media::av
