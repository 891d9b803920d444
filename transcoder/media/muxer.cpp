#include "transcoder/media/muxer.h"

namespace millrace::media {
namespace {

constexpr int kIoBufferBytes = 64 * 1024;

}  // namespace

bool can_carry(Container container, AVCodecID codec) {
    if (container != Container::mpegts)
        return false;
    return codec == AV_CODEC_ID_AAC || codec == AV_CODEC_ID_AC3 || codec == AV_CODEC_ID_MP2 ||
           codec == AV_CODEC_ID_MP3 || codec == AV_CODEC_ID_OPUS;
}

Muxer::~Muxer() {
    if (io_ == nullptr)
        return;
    av_freep(&io_->buffer);
    avio_context_free(&io_);
}

Result<std::unique_ptr<Muxer>> Muxer::open(Container container, const Streams& streams,
                                           std::uint64_t bytes_max) {
    std::unique_ptr<Muxer> muxer(new Muxer(bytes_max));
    MR_TRY(muxer->set_up(container, streams));
    return muxer;
}

Error Muxer::failed(const char* operation, int rc) const {
    if (over_limit_)
        return error(ErrorKind::bad_input,
                     "a rendition grew beyond " + std::to_string(bytes_max_) + " bytes");
    return av::error(ErrorKind::internal, operation, rc);
}

Result<void> Muxer::set_up(Container container, const Streams& streams) {
    if (container != Container::mpegts)
        return error(ErrorKind::unsupported, "only MPEG-TS can be written");
    AVFormatContext* format = nullptr;
    if (const int rc = avformat_alloc_output_context2(&format, nullptr, "mpegts", nullptr); rc < 0)
        return av::error(ErrorKind::unsupported, "avformat_alloc_output_context2", rc);
    format_.reset(format);
    auto* buffer = static_cast<std::uint8_t*>(av_malloc(kIoBufferBytes));
    io_ = avio_alloc_context(buffer, kIoBufferBytes, 1, this, nullptr, &on_write, nullptr);
    MR_CHECK(buffer != nullptr && io_ != nullptr, "out of memory");
    format->pb = io_;
    format->flags |= AVFMT_FLAG_CUSTOM_IO;
    format->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
    format->max_interleave_delta = 0;  // wait for the video however far the encoder looks ahead
    const auto add = [&] {
        AVStream* stream = avformat_new_stream(format, nullptr);
        MR_CHECK(stream != nullptr, "out of memory");
        stream->time_base = av::kTickBase;
        return stream;
    };
    if (streams.video != nullptr) {
        AVStream* stream = add();
        video_ = stream->index;
        stream->avg_frame_rate = streams.video->framerate;
        if (avcodec_parameters_from_context(stream->codecpar, streams.video) < 0)
            return error(ErrorKind::internal, "avcodec_parameters_from_context failed");
    }
    if (streams.audio != nullptr) {
        AVStream* stream = add();
        audio_ = stream->index;
        MR_CHECK(avcodec_parameters_copy(stream->codecpar, streams.audio) >= 0, "out of memory");
        stream->codecpar->codec_tag = 0;  // the source container's
    }
    av_dict_set(&format->metadata, "service_provider", "Millrace", 0);
    av_dict_set(&format->metadata, "service_name", "Millrace", 0);
    av::Options options;
    options.set("mpegts_copyts", 1).set("mpegts_flags", "initial_discontinuity");
    const int rc = avformat_write_header(format, options.address());
    return rc < 0 ? Result<void>(failed("avformat_write_header", rc)) : Result<void>();
}

Result<void> Muxer::write_video(AVPacket& packet) {
    return write(packet, video_);
}

Result<void> Muxer::write_audio(AVPacket& packet) {
    return write(packet, audio_);
}

Result<void> Muxer::write(AVPacket& packet, int stream) {
    MR_CHECK(stream >= 0, "a packet for a stream that was not announced");
    packet.stream_index = stream;
    packet.pos = -1;
    const int rc = av_interleaved_write_frame(format_.get(), &packet);
    return rc < 0 || over_limit_ ? Result<void>(failed("av_interleaved_write_frame", rc))
                                 : Result<void>();
}

Result<std::vector<std::uint8_t>> Muxer::finish() {
    const int rc = av_write_trailer(format_.get());
    avio_flush(io_);
    if (rc < 0 || over_limit_)
        return failed("av_write_trailer", rc);
    return std::move(bytes_);
}

int Muxer::on_write(void* self, std::uint8_t* data, int size) {
    auto& muxer = *static_cast<Muxer*>(self);
    if (muxer.bytes_.size() + static_cast<std::size_t>(size) > muxer.bytes_max_) {
        muxer.over_limit_ = true;
        return AVERROR(EFBIG);
    }
    muxer.bytes_.insert(muxer.bytes_.end(), data, data + size);
    return size;
}

}  // namespace millrace::media
