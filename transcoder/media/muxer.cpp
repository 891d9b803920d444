#include "transcoder/media/muxer.h"

#include <algorithm>
#include <cstdlib>

#include "transcoder/media/colour.h"
#include "transcoder/media/parameter_sets.h"

namespace millrace::media {
namespace {

constexpr int kIoBufferBytes = 64 * 1024;
bool one_of(AVCodecID codec, std::initializer_list<AVCodecID> list) {
    return std::ranges::find(list, codec) != list.end();
}

void set_mp4_options(AVFormatContext& format, av::Options& options) {
    format.flags |= AVFMT_FLAG_BITEXACT;  // no version string in the init part
    // The init part is written when the first fragment is, since only then all headers are known.
    options.set("movflags",
                "empty_moov+delay_moov+default_base_moof+frag_custom+frag_discont+"
                "skip_trailer");
    options.set("use_editlist", 0).set("write_btrt", 0).set("video_track_timescale", 90'000);
}

}  // namespace

bool can_carry(Container container, AVCodecID codec) {
    switch (container) {
        case Container::mpegts:
            return one_of(codec,
                          {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_AAC, AV_CODEC_ID_AC3,
                           AV_CODEC_ID_MP2, AV_CODEC_ID_MP3, AV_CODEC_ID_OPUS});
        case Container::mp4:
            return one_of(codec,
                          {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_VP9, AV_CODEC_ID_AV1,
                           AV_CODEC_ID_AAC, AV_CODEC_ID_AC3, AV_CODEC_ID_MP3, AV_CODEC_ID_OPUS});
        default:
            return false;
    }
}

bool can_carry(Container container, const AVCodecParameters& stream) {
    constexpr int kOpusHead = 19;  // RFC 7845, section 5.1
    const bool headless = stream.codec_id == AV_CODEC_ID_OPUS && stream.extradata_size < kOpusHead;
    return can_carry(container, stream.codec_id) && !(container == Container::mp4 && headless);
}

Muxer::~Muxer() {
    if (io_ == nullptr)
        return;
    av_freep(&io_->buffer);
    avio_context_free(&io_);
}

Result<std::unique_ptr<Muxer>> Muxer::open(Container container, const Streams& streams,
                                           std::uint64_t bytes_max) {
    std::unique_ptr<Muxer> muxer(new Muxer(container, streams.origin, bytes_max));
    MR_TRY(muxer->set_up(streams));
    return muxer;
}

Error Muxer::failed(const char* operation, int rc) const {
    if (over_limit_)
        return error(ErrorKind::bad_input,
                     "a rendition grew beyond " + std::to_string(bytes_max_) + " bytes");
    if (rc ==
        AVERROR_INVALIDDATA)  // what we encode is valid; audio that is carried over may not be
        return error(
            ErrorKind::bad_input,
            "the audio of the segment is damaged and cannot be written into the renditions");
    return av::error(ErrorKind::internal, operation, rc);
}

AVStream& Muxer::add_stream(const AVCodecParameters& parameters) {
    AVStream* stream = avformat_new_stream(format_.get(), nullptr);
    MR_CHECK(stream != nullptr, "out of memory");
    MR_CHECK(avcodec_parameters_copy(stream->codecpar, &parameters) >= 0, "out of memory");
    stream->codecpar->codec_tag = 0;  // the source container's
    stream->time_base = av::kTickBase;
    return *stream;
}

Result<void> Muxer::set_up(const Streams& streams) {
    const bool mp4 = container_ == Container::mp4;
    AVFormatContext* format = nullptr;
    if (const int rc =
            avformat_alloc_output_context2(&format, nullptr, mp4 ? "mp4" : "mpegts", nullptr);
        rc < 0)
        return av::error(ErrorKind::unsupported, "avformat_alloc_output_context2", rc);
    format_.reset(format);
    auto* buffer = static_cast<std::uint8_t*>(av_malloc(kIoBufferBytes));
    io_ = avio_alloc_context(buffer, kIoBufferBytes, 1, this, nullptr, &on_write, nullptr);
    MR_CHECK(buffer != nullptr && io_ != nullptr, "out of memory");
    format->pb = io_;
    format->flags |= AVFMT_FLAG_CUSTOM_IO;
    format->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
    format->max_interleave_delta = 0;  // wait for the video however far the encoder looks ahead
    if (streams.video != nullptr)
        MR_TRY(set_up_video(streams));
    if (streams.audio != nullptr)
        MR_TRY(set_up_audio(*streams.audio));
    av::Options options;
    if (mp4) {
        set_mp4_options(*format, options);
    } else {
        av_dict_set(&format->metadata, "service_provider", "Millrace", 0);
        av_dict_set(&format->metadata, "service_name", "Millrace", 0);
        options.set("mpegts_copyts", 1).set("mpegts_flags", "initial_discontinuity");
    }
    const int rc = avformat_write_header(format, options.address());
    MR_CHECK(rc < 0 || options.left_over().empty(), options.left_over());
    return rc < 0 ? Result<void>(failed("avformat_write_header", rc)) : Result<void>();
}

Result<void> Muxer::set_up_video(const Streams& streams) {
    AVStream& stream = add_stream(*streams.video);
    video_ = stream.index;
    stream.avg_frame_rate = streams.frame_rate;
    const bool hevc = streams.video->codec_id == AV_CODEC_ID_HEVC;
    if (container_ == Container::mp4) {
        if (hevc)
            stream.codecpar->codec_tag = MKTAG('h', 'v', 'c', '1');
        if (streams.like != nullptr)
            tell_mastering(stream, *streams.like);
        return {};
    }
    // Copied from an MP4: avcC and hvcC begin with version 1, Annex B with a zero.
    if (streams.video->extradata_size < 1 || streams.video->extradata[0] != 1)
        return {};
    MR_TRY(set_up_filter(hevc ? "hevc_mp4toannexb" : "h264_mp4toannexb", *streams.video, annex_b_));
    const int rc = avcodec_parameters_copy(stream.codecpar, annex_b_->par_out);
    stream.codecpar->codec_tag = 0;
    return rc < 0 ? Result<void>(failed("avcodec_parameters_copy", rc)) : Result<void>();
}

Result<void> Muxer::set_up_audio(const AVCodecParameters& parameters) {
    AVStream& stream = add_stream(parameters);
    audio_ = stream.index;
    stream.codecpar->bit_rate = 0;  // an estimate, and it would stand in the init part
    const bool bare = parameters.codec_id == AV_CODEC_ID_AAC && parameters.extradata_size == 0;
    return bare && container_ == Container::mp4 ? set_up_filter("aac_adtstoasc", parameters, strip_)
                                                : Result<void>();
}

Result<void> Muxer::set_up_filter(const char* name, const AVCodecParameters& parameters,
                                  av::FilterPtr& filter) const {
    AVBSFContext* context = nullptr;
    int rc = av_bsf_alloc(av_bsf_get_by_name(name), &context);
    filter.reset(context);
    if (rc >= 0)
        rc = avcodec_parameters_copy(context->par_in, &parameters);
    if (rc >= 0) {
        context->time_base_in = av::kTickBase;
        rc = av_bsf_init(context);
    }
    return rc < 0 ? Result<void>(failed(name, rc)) : Result<void>();
}

// False: the packet makes no sense to the filter and is left out.
Result<bool> Muxer::pass(av::FilterPtr& filter, AVPacket& packet) const {
    const int sent = av_bsf_send_packet(filter.get(), &packet);
    const int rc = sent < 0 ? sent : av_bsf_receive_packet(filter.get(), &packet);
    if (rc == AVERROR(ENOMEM))
        return failed("av_bsf_receive_packet", rc);
    return rc >= 0;
}

// MPEG-TS keeps the source's line; MP4 counts from the origin.
void Muxer::put_on_clock(AVPacket& packet, const AVStream& stream) const {
    const bool ticks = av_cmp_q(packet.time_base, av::kTickBase) == 0;
    const auto shift = [&](Ticks by) {
        if (packet.pts != AV_NOPTS_VALUE)
            packet.pts += by;
        if (packet.dts != AV_NOPTS_VALUE)
            packet.dts += by;
    };
    if (ticks && container_ == Container::mp4)
        shift(-origin_);
    av_packet_rescale_ts(&packet, packet.time_base, stream.time_base);
    if (!ticks && container_ != Container::mp4)
        shift(origin_);
    packet.time_base = stream.time_base;
}

// Copied audio comes in rounded ticks; what follows without a gap is made to follow to the sample.
void Muxer::close_rounding(AVPacket& packet, AVStream& stream) {
    constexpr Ticks kRounding = 2;
    const std::int64_t slack = 1 + av_rescale_q(kRounding, av::kTickBase, stream.time_base);
    if (audio_next_ && std::abs(packet.pts - *audio_next_) <= slack)
        packet.pts = packet.dts = *audio_next_;
    const int samples = av_get_audio_frame_duration2(stream.codecpar, packet.size);
    if (samples > 0)
        packet.duration =
            av_rescale_q(samples, {1, stream.codecpar->sample_rate}, stream.time_base);
    audio_next_ = packet.pts + packet.duration;
}

Result<void> Muxer::write_video(AVPacket& packet) {
    if (annex_b_) {
        const auto passed = pass(annex_b_, packet);
        if (!passed)
            return passed.error();
        if (!*passed)
            return {};
    }
    // Of the pictures that nobody needs FFmpeg makes a box in the init part, but only if there are any.
    packet.flags &= ~AV_PKT_FLAG_DISPOSABLE;
    packet.time_base = av::kTickBase;
    put_on_clock(packet, *format_->streams[video_]);
    return write(packet, video_);
}

Result<void> Muxer::write_audio(AVPacket& packet) {
    MR_CHECK(audio_ >= 0, "audio for a file without");
    AVStream& stream = *format_->streams[audio_];
    if (strip_) {
        const auto stripped = pass(strip_, packet);
        if (!stripped)
            return stripped.error();
        if (!*stripped)
            return {};
    }
    put_on_clock(packet, stream);
    if (container_ == Container::mp4) {
        close_rounding(packet, stream);
        if (packet.dts < 0)
            return {};
    }
    return write(packet, audio_);
}

Result<void> Muxer::write(AVPacket& packet, int stream) {
    MR_CHECK(stream >= 0, "a packet for a stream that was not announced");
    packet.stream_index = stream;
    packet.pos = -1;
    // An MP4 fragment is kept whole before it is written.
    taken_ += static_cast<std::uint64_t>(packet.size);
    over_limit_ |= taken_ > bytes_max_;
    const int rc =
        over_limit_ ? AVERROR(EFBIG) : av_interleaved_write_frame(format_.get(), &packet);
    return rc < 0 || over_limit_ ? Result<void>(failed("av_interleaved_write_frame", rc))
                                 : Result<void>();
}

Result<Muxer::Written> Muxer::finish() {
    const int rc = av_write_trailer(format_.get());
    avio_flush(io_);
    if (rc < 0 || over_limit_)
        return failed("av_write_trailer", rc);
    const std::size_t init = container_ == Container::mp4 ? init_part(bytes_) : 0;
    // FFmpeg 5.1 says nothing when it could not write it.
    if (container_ == Container::mp4 && box(std::span(bytes_).first(init), "moov").empty())
        return failed("av_write_trailer", AVERROR_INVALIDDATA);
    return Written{std::move(bytes_), init};
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
