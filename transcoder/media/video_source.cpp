#include "transcoder/media/video_source.h"

#include <algorithm>
#include <utility>

#include "transcoder/media/cpu_timer.h"
#include "transcoder/media/limits.h"

namespace millrace::media {
namespace {

// Packets that may precede the first picture in decoding order and in time; more are not counted.
constexpr std::size_t kStampsMax = 8192;

}  // namespace

VideoSource::VideoSource(Decoder decoder, const VideoStream& stream, Container container,
                         const Limits& limits, int threads, std::shared_ptr<Gpu> gpu)
    : decoder_(std::move(decoder)),
      clock_(stream.rate.rate, container != Container::mpegts, container == Container::matroska),
      limits_(limits),
      threads_(threads),
      gpu_(std::move(gpu)),
      needs_key_(stream.parameters->codec_id == AV_CODEC_ID_MPEG2VIDEO),
      coding_order_(stream.parameters->video_delay > 0) {}

Result<std::unique_ptr<VideoSource>> VideoSource::open(const VideoStream& stream,
                                                       Container container, const Limits& limits,
                                                       int threads, std::shared_ptr<Gpu> gpu) {
    auto decoder = Decoder::open(*stream.parameters, limits, threads, gpu.get());
    if (!decoder) {
        MR_TRY(check_picture({stream.parameters->width, stream.parameters->height}, limits));
        return error(decoder.error().kind, stream.label + ": " + decoder.error().message);
    }
    return std::unique_ptr<VideoSource>(
        new VideoSource(std::move(*decoder), stream, container, limits, threads, std::move(gpu)));
}

// What the old decoder still holds comes out first.
Result<void> VideoSource::go_on_with(const VideoStream& stream) {
    decoder_.drain();
    std::int64_t us = 0;  // counted by the caller
    for (Result<av::Pull> pulled = av::Pull::ready; *pulled == av::Pull::ready;) {
        pulled = decode_one(us);
        if (!pulled)
            return pulled.error();
    }
    auto decoder = Decoder::open(*stream.parameters, limits_, threads_, gpu_.get());
    if (!decoder)
        return error(decoder.error().kind, stream.label + ": " + decoder.error().message);
    damaged_before_ += decoder_.damaged();
    downloads_before_ += decoder_.stages_used().downloads;
    decoder_ = std::move(*decoder);
    needs_key_ = stream.parameters->codec_id == AV_CODEC_ID_MPEG2VIDEO;
    saw_key_ = false;
    coding_order_ = stream.parameters->video_delay > 0;
    last_stamp_.reset();
    outstanding_.clear();
    return {};
}

// FFmpeg's MPEG-2 decoder shows pictures whose references are missing, on a grey ground.
bool VideoSource::waits_for_key(const AVPacket& packet) {
    ++packets_;
    saw_key_ |= (packet.flags & AV_PKT_FLAG_KEY) != 0;
    saw_any_key_ |= saw_key_;
    // What an edit list cuts off is not ours to miss.
    if (packet.pts != AV_NOPTS_VALUE && (packet.flags & AV_PKT_FLAG_DISCARD) == 0 &&
        stamps_.size() < kStampsMax && (!first_stamp_ || packet.pts < *first_stamp_))
        stamps_.push_back(packet.pts);
    if (needs_key_ && !saw_key_)
        return true;
    coding_order_ &= packet.pts != AV_NOPTS_VALUE && (!last_stamp_ || packet.pts > *last_stamp_);
    last_stamp_ = packet.pts;
    if (coding_order_)
        outstanding_.insert(packet.pts);
    return false;
}

Result<void> VideoSource::send(const AVPacket* packet, std::int64_t& decode_us) {
    if (packet == nullptr) {
        decoder_.drain();
        return {};
    }
    const CpuTimer timer(decode_us);
    if (const VideoStream* stream = begins(*packet); stream != nullptr)
        MR_TRY(go_on_with(*stream));
    if (waits_for_key(*packet))
        return {};
    return decoder_.send(*packet);
}

Result<std::shared_ptr<Picture>> VideoSource::next(std::int64_t& decode_us) {
    while (true) {
        if (av::FramePtr frame = deinterlacer_.pull()) {
            const Ticks at = frame->pts;
            return std::make_shared<Picture>(std::move(frame), at);
        }
        if (drained_)
            return std::shared_ptr<Picture>();
        const auto pulled = decode_one(decode_us);
        if (!pulled)
            return pulled.error();
        if (*pulled == av::Pull::needs_input)
            return std::shared_ptr<Picture>();
        if (*pulled == av::Pull::drained) {
            drained_ = true;
            const CpuTimer timer(decode_us);
            MR_TRY(deinterlacer_.drain());
        }
    }
}

Result<av::Pull> VideoSource::decode_one(std::int64_t& decode_us) {
    const CpuTimer timer(decode_us);
    av::FramePtr frame = av::make_frame();
    const auto pulled = decoder_.receive(*frame);
    if (pulled && *pulled == av::Pull::ready)
        if (const auto taken = take(std::move(frame)); !taken)
            return taken.error();
    return pulled;
}

// Pictures that the decoder did not give before their stream changed its size (MPEG-2: the last one)
// will not come any more.
void VideoSource::forget_lost(const AVFrame& frame) {
    const Size size{frame.width, frame.height};
    if (std::exchange(size_, size) != size && frame.pts != AV_NOPTS_VALUE)
        outstanding_.erase(outstanding_.begin(), outstanding_.lower_bound(frame.pts));
}

std::optional<Ticks> VideoSource::stamp_of(const AVFrame& frame) {
    forget_lost(frame);
    if (coding_order_ && !outstanding_.empty() && decoder_.damaged() == 0)
        return outstanding_.extract(outstanding_.begin()).value();
    const std::int64_t stamp =
        frame.pts != AV_NOPTS_VALUE ? frame.pts : frame.best_effort_timestamp;
    return stamp == AV_NOPTS_VALUE ? std::nullopt : std::optional<Ticks>(stamp);
}

Result<void> VideoSource::take(av::FramePtr frame) {
    const auto known = stamp_of(*frame);
    if (frames_ == 0)
        first_stamp_ = known;
    frame->pts = clock_.place(known, frame->pkt_duration);
    ++frames_;
    pixels_ += std::int64_t{frame->width} * frame->height;
    MR_TRY(check_picture({frame->width, frame->height}, limits_));
    MR_TRY(check_frames(frames_, limits_));
    MR_TRY(check_length(frame->pts - *clock_.first(), limits_));
    return deinterlacer_.push(std::move(frame));
}

// In field coding each field may have a packet of its own.
int VideoSource::left_out() const {
    if (!first_stamp_ || frames_ == 0)
        return 0;
    const auto early =
        std::ranges::count_if(stamps_, [this](Ticks stamp) { return stamp < *first_stamp_; });
    const std::int64_t per_picture = (packets_ - early) * 2 >= frames_ * 3 ? 2 : 1;
    return static_cast<int>((early + per_picture - 1) / per_picture);
}

StagesUsed VideoSource::stages_used() const {
    StagesUsed used = decoder_.stages_used();
    used.downloads += downloads_before_;
    return used;
}

void VideoSource::add_to(Findings& findings) const {
    findings.video_packets = packets_;
    findings.saw_key_packet = saw_any_key_;
    findings.damaged_pictures = damaged();
    findings.repaired_times = clock_.repaired();
    findings.left_out_pictures = left_out();
}

}  // namespace millrace::media
