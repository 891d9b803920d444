#include "transcoder/media/demuxer.h"

#include <algorithm>
#include <cstdlib>

#include "transcoder/media/sniff.h"

namespace millrace::media {
namespace {

constexpr std::size_t kHeadBytes = 16 * 1024;
constexpr std::int64_t kProbeBytes = 4 * 1024 * 1024;
// No clock reads more than this, about 400 years: live CMAF counts from 1970. The rest is damage.
constexpr Ticks kTimeMax = Ticks{1} << 50;
constexpr std::int64_t kProbeDurationUs = 3'000'000;
// What may be opened while FFmpeg looks into streams, and after.
constexpr const char* kDecoders =
    "h264,hevc,vp8,vp9,libdav1d,mpeg2video,aac,ac3,mp2,mp2float,mp3,mp3float,opus,vorbis";

int refuse_to_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
    return AVERROR(EPERM);
}

const char* format_name(Container container) {
    switch (container) {
        case Container::mpegts:
            return "mpegts";
        case Container::mp4:
            return "mov";
        default:
            return "matroska";
    }
}

std::string spoken(Container container) {
    switch (container) {
        case Container::mpegts:
            return "MPEG-TS";
        case Container::mp4:
            return "MP4";
        default:
            return "Matroska";
    }
}

}  // namespace

Demuxer::Demuxer(ByteSource& source, const Limits& limits, const CancelToken& cancel)
    : limits_(limits), cancel_(cancel), parts_(source) {
    bytes_.emplace(parts_, limits.body_bytes);
}

// FFmpeg asks while it reads and looks; nobody else may call back from the threads that read later.
int Demuxer::on_interrupt(void* self) {
    auto& demuxer = *static_cast<Demuxer*>(self);
    if (demuxer.looking_)
        demuxer.looking_();
    return demuxer.cancel_.cancelled() ? 1 : 0;
}

Result<std::unique_ptr<Demuxer>> Demuxer::open(ByteSource& source, const Limits& limits,
                                               const CancelToken& cancel,
                                               std::function<void()> looking) {
    av::set_up_logging();
    std::unique_ptr<Demuxer> demuxer(new Demuxer(source, limits, cancel));
    demuxer->looking_ = std::move(looking);
    MR_TRY(demuxer->open_container());
    MR_TRY(demuxer->find_streams());
    demuxer->choose_streams();
    demuxer->timeline_.emplace(demuxer->container_ == Container::mpegts);
    demuxer->looking_ = nullptr;
    return demuxer;
}

Result<void> Demuxer::open_container() {
    const auto head = bytes_->head(kHeadBytes);
    container_ = sniff(head);
    if (container_ == Container::unknown)
        return error(ErrorKind::bad_input,
                     "expected MPEG-TS, MP4 or WebM, found " + describe(head));
    bytes_->keep_everything(container_ != Container::mpegts);
    if (container_ == Container::mp4)
        watch_for_events();

    AVFormatContext* format = avformat_alloc_context();
    MR_CHECK(format != nullptr, "out of memory");
    format->pb = bytes_->context();
    format->flags |= AVFMT_FLAG_CUSTOM_IO;
    format->io_open = &refuse_to_open;
    format->interrupt_callback = {&Demuxer::on_interrupt, this};
    format->probesize = kProbeBytes;
    format->max_analyze_duration = kProbeDurationUs;
    format->max_streams = limits_.streams + 1;  // one more than allowed, to see that there are more
    format->correct_ts_overflow = 0;            // Timeline does that, for jumps too
    av::Options options;
    options.set("protocol_whitelist", "").set("codec_whitelist", kDecoders);
    // Frees the context when it fails.
    const int rc = avformat_open_input(&format, "", av_find_input_format(format_name(container_)),
                                       options.address());
    format_.reset(rc < 0 ? nullptr : format);
    MR_TRY(check_read(rc));
    return rc < 0 ? Result<void>(cannot_open(rc)) : Result<void>();
}

Error Demuxer::cannot_open(int rc) const {
    const std::string what = "the " + spoken(container_) + " segment cannot be read: ";
    if (container_ == Container::mp4) {
        const TopBoxes boxes = top_boxes(bytes_->kept());
        if (!boxes.moov && boxes.moof)
            return error(ErrorKind::bad_input,
                         what + "it is a fragment without its initialisation part ('moov')");
        if (!boxes.moov)
            return error(ErrorKind::bad_input, what + "its index ('moov') is missing");
    }
    return error(ErrorKind::bad_input, what + av::words(rc));
}

Result<void> Demuxer::check_read(int rc) const {
    if (bytes_->over_limit())
        return error(ErrorKind::bad_input,
                     "the segment is larger than " + std::to_string(limits_.body_bytes) + " bytes");
    if (cancel_.cancelled() || rc == AVERROR_EXIT)
        return error(ErrorKind::timeout, "cancelled");
    return {};
}

Result<void> Demuxer::find_streams() {
    const std::size_t count = format_->nb_streams;
    std::vector<AVDictionary*> options(count, nullptr);
    // Twice the limit: decoders count whole blocks, and what is too large shall be seen to be so.
    for (AVDictionary*& dict : options)
        av_dict_set_int(&dict, "max_pixels", 2 * limits_.picture.pixels(), 0);
    const int rc = avformat_find_stream_info(format_.get(), options.data());
    for (AVDictionary*& dict : options)
        av_dict_free(&dict);
    MR_TRY(check_read(rc));
    if (format_->nb_streams > static_cast<unsigned>(limits_.streams))
        return error(ErrorKind::bad_input,
                     "the segment has more than " + std::to_string(limits_.streams) + " streams");
    return rc < 0 ? Result<void>(cannot_open(rc)) : Result<void>();
}

void Demuxer::choose_streams() {
    const BestStreams best = best_streams(*format_, container_, foreign_);
    if (best[0] != nullptr)
        take_video(*best[0]);
    if (best[1] != nullptr)
        take_audio(*best[1]);
    for (unsigned i = 0; i < format_->nb_streams; ++i)
        if (format_->streams[i] != best[0] && format_->streams[i] != best[1] &&
            !take_data(*format_->streams[i]))
            left_out_.push_back(label_of(*format_->streams[i], container_));
}

namespace {

Ticks duration_of(AVCodecParameters& audio, int bytes) {
    const int samples = av_get_audio_frame_duration2(&audio, bytes);
    return samples > 0 && audio.sample_rate > 0
               ? av_rescale(samples, kTicksPerSecond, audio.sample_rate)
               : 0;
}

}  // namespace

void Demuxer::take_video(const AVStream& stream) {
    format_->streams[stream.index]->discard = AVDISCARD_DEFAULT;
    index_[0] = stream.index;
    video_ = video_of(stream, container_);
}

void Demuxer::take_audio(const AVStream& stream) {
    format_->streams[stream.index]->discard = AVDISCARD_DEFAULT;
    index_[1] = stream.index;
    audio_ = AudioStream{copy_of(*stream.codecpar), label_of(stream, container_)};
}

bool Demuxer::take_data(const AVStream& stream) {
    const auto kind = data_kind(stream);
    if (container_ != Container::mpegts || !kind)
        return false;
    format_->streams[stream.index]->discard = AVDISCARD_DEFAULT;
    data_index_.push_back(stream.index);
    data_.push_back({*kind, label_of(stream, container_)});
    return true;
}

Result<Demuxer::Packet> Demuxer::read() {
    Packet result{av::make_packet(), Lane::video};
    while (true) {
        if (next_event(result))
            return result;
        const int rc = av_read_frame(format_.get(), result.data.get());
        if (auto checked = check_read(rc); !checked)
            return checked.error();
        if (rc < 0) {  // the end, or bytes that make no sense any more: what came before counts
            const auto more = begin_next_part();
            if (!more)
                return more.error();
            if (!*more)
                return Packet{};
            continue;
        }
        if (format_->nb_streams > static_cast<unsigned>(limits_.streams))
            return error(ErrorKind::bad_input, "the segment has more than " +
                                                   std::to_string(limits_.streams) + " streams");
        if (claim(result))
            return result;
        av_packet_unref(result.data.get());
    }
}

// A part that cannot be read is the end: what came before counts.
Result<bool> Demuxer::begin_next_part() {
    if (!parts_.next())
        return false;
    received_before_ += bytes_->received();
    format_.reset();
    bytes_.emplace(parts_, limits_.body_bytes - std::min(received_before_, limits_.body_bytes));
    Result<void> opened = open_container();
    if (opened)
        opened = find_streams();
    MR_TRY(check_read(0));
    if (!opened || container_ != Container::mpegts) {
        ++damaged_;
        return false;
    }
    follow_streams();
    return true;
}

void Demuxer::follow_streams() {
    std::string foreign;
    const BestStreams best = best_streams(*format_, container_, foreign);
    const auto follow = [this](int& index, const AVStream* stream) {
        index = stream == nullptr ? -1 : stream->index;
        if (stream != nullptr)
            format_->streams[stream->index]->discard = AVDISCARD_DEFAULT;
    };
    follow(index_[0], video_ ? best[0] : nullptr);
    if (index_[0] >= 0)
        next_video_ = std::make_unique<VideoStream>(video_of(*best[0], container_));
    else if (video_ && !foreign.empty())
        left_out_.push_back(foreign);
    const bool same_sound =
        audio_ && best[1] != nullptr && best[1]->codecpar->codec_id == audio_->parameters->codec_id;
    follow(index_[1], same_sound ? best[1] : nullptr);
    if (best[1] != nullptr && !same_sound)
        left_out_.push_back(label_of(*best[1], container_));
    std::ranges::fill(data_index_, -1);
    for (unsigned i = 0; i < format_->nb_streams; ++i) {
        const AVStream* stream = format_->streams[i];
        const auto kind = data_kind(*stream);
        for (std::size_t n = 0; kind && n < data_.size(); ++n)
            if (data_index_[n] < 0 && data_[n].kind == *kind) {
                follow(data_index_[n], stream);
                break;
            }
    }
}

// The data lanes of an MP4 are made of what its event messages say.
void Demuxer::watch_for_events() {
    data_ = {{DataKind::id3, "ID3 event messages", false},
             {DataKind::scte35, "SCTE 35 event messages", false}};
    data_index_.assign(data_.size(), -1);
    events_.emplace();
    bytes_->watch([this](std::span<const std::uint8_t> bytes) { events_->feed(bytes); });
}

bool Demuxer::next_event(Packet& packet) {
    const auto kind = events_ ? events_->next(*packet.data) : std::nullopt;
    if (!kind)
        return false;
    packet.lane = Lane::data;
    packet.data_stream = *kind == DataKind::id3 ? 0 : 1;
    return true;
}

// Says whose packet it is, and when; false when it is nobody's.
bool Demuxer::claim(Packet& packet) {
    const int index = packet.data->stream_index;
    const AVRational base = format_->streams[index]->time_base;
    if (index == index_[0] || index == index_[1]) {
        packet.lane = index == index_[0] ? Lane::video : Lane::audio;
        put_on_timeline(*packet.data, packet.lane, base);
        if (events_ && (packet.lane == Lane::video || !video_))
            events_->begins(*packet.data);
        if (packet.lane == Lane::video && next_video_)
            mark(*packet.data, std::move(next_video_));
        return true;
    }
    const auto at = std::ranges::find(data_index_, index);
    if (at == data_index_.end())
        return false;
    packet.lane = Lane::data;
    packet.data_stream = static_cast<std::size_t>(at - data_index_.begin());
    av_packet_rescale_ts(packet.data.get(), base, av::kTickBase);
    if (packet.data->pts != AV_NOPTS_VALUE)
        packet.data->pts = timeline_->beside(packet.data->pts);
    return true;
}

void Demuxer::put_on_timeline(AVPacket& packet, Lane lane, AVRational base) {
    av_packet_rescale_ts(&packet, base, av::kTickBase);
    packet.time_base = av::kTickBase;
    if ((packet.flags & AV_PKT_FLAG_CORRUPT) != 0)
        ++damaged_;
    // Unknown while FFmpeg had not yet seen an audio header: short segments end before that.
    if (lane == Lane::audio && packet.duration <= 0)
        packet.duration = duration_of(*audio_->parameters, packet.size);
    if (packet.duration < 0 || packet.duration > kTimeMax)
        packet.duration = 0;
    const auto known = [](std::int64_t ts) {
        return ts == AV_NOPTS_VALUE || std::abs(ts) > kTimeMax ? std::nullopt
                                                               : std::optional<Ticks>(ts);
    };
    const Timeline::Times times = timeline_->place(
        static_cast<std::size_t>(lane), {known(packet.pts), known(packet.dts)}, packet.duration);
    packet.pts = times.pts.value_or(AV_NOPTS_VALUE);
    packet.dts = times.dts.value_or(AV_NOPTS_VALUE);
}

Demuxer::Notes Demuxer::notes() const {
    const std::uint64_t received = received_before_ + bytes_->received();
    return {damaged_,
            timeline_->jumps(),
            container_ == Container::mpegts && received % 188 != 0 && received % 192 != 0 &&
                received % 204 != 0,
            received,
            left_out_,
            events_ ? events_->left_out() : 0};
}

}  // namespace millrace::media
