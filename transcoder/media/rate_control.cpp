#include "transcoder/media/rate_control.h"

#include <algorithm>
#include <cmath>

namespace millrace::media {
namespace {

constexpr std::int64_t kFirstFillPermille = 900;    // of the buffer; x264's own
constexpr std::int64_t kAssumedFillPermille = 500;  // in mid-session
constexpr int kSlack = 2;
// libx265 keeps its buffer above one half as long as it can.
constexpr double kFullnessX265 = 0.75;
constexpr double kReinsInX265 = 0.6;
// Its quantisers, weighted by the bits they cost, are that far above the factor (measured: 1 to 2.5).
constexpr double kQuantiserOverFactorX265 = 1.5;
// Below it the last segment may have been all but black and tells nothing about this one.
constexpr double kQuickFactorMin = 4.5;
// Of what it finds, the most a quick start's first picture may take: those after it need some, too.
constexpr double kFirstPictureMax = 0.6;
constexpr double kFactorsPerHalf = 6.0;  // of a picture's bits
constexpr double kCarefulMargin = 1.0;   // factors
// Of the buffer, what must be left behind every picture of a segment whose encoder has a range.
constexpr double kReserve = 0.05;

std::int64_t fill_found(const RateMemory& before, std::int64_t size) {
    if (before.vbv_fill_bits > 0)
        return std::min(before.vbv_fill_bits, size);
    return size * (before.rate_factor_milli > 0 ? kAssumedFillPermille : kFirstFillPermille) / 1000;
}

double seconds(Ticks ticks) {
    return static_cast<double>(ticks) / kTicksPerSecond;
}

std::int64_t bits_of(const AVPacket& packet) {
    return std::int64_t{packet.size} * 8;
}

}  // namespace

RateControl::RateControl(const EncoderSettings& settings)
    : spec_(settings.spec),
      size_(settings.shape.size),
      rate_(told_rate(settings.rate)),
      on_gpu_(settings.gpu != nullptr),
      before_(settings.before) {}

bool RateControl::steers() const {
    const bool has_factor = spec_->codec == VideoCodec::h264 || spec_->codec == VideoCodec::hevc;
    return has_factor && !on_gpu_ && spec_->bitrate > 0 && spec_->quality <= 0;
}

std::optional<double> RateControl::known_factor() const {
    if (before_.rate_factor_milli <= 0)
        return std::nullopt;
    return before_.rate_factor_milli / 1000.0;
}

RateSteering::Aim RateControl::aim() const {
    RateSteering::Aim aim{spec_->bitrate, rate_.value(), size_.pixels(),
                          spec_->gop_ms == kGopIntra};
    if (spec_->codec == VideoCodec::hevc)
        aim.fullness = kFullnessX265;
    return aim;
}

// libx265 has no factor in a session's first segment, and takes a coarser one than it was told where
// the buffer demands it: there its quantiser tells what it comes to.
double RateControl::factor_of(const AVPacket& packet, double fullness) const {
    std::size_t size = 0;
    const std::uint8_t* stats = av_packet_get_side_data(&packet, AV_PKT_DATA_QUALITY_STATS, &size);
    if (spec_->codec != VideoCodec::hevc)
        return steering_->factor();
    if (stats == nullptr || size < 4 || (held_ > 0 && fullness > kReinsInX265))
        return held_ > 0 ? held_ : steering_->factor();
    const std::uint32_t quality = stats[0] | std::uint32_t{stats[1]} << 8 |
                                  std::uint32_t{stats[2]} << 16 | std::uint32_t{stats[3]} << 24;
    return std::max(held_, static_cast<double>(quality) / FF_QP2LAMBDA - kQuantiserOverFactorX265);
}

void RateControl::set_up(Start start, AVCodecContext& context, av::Options& options) {
    packets_ = 0;
    last_.reset();
    if (context.rc_buffer_size <= 0)
        return;
    found_ = fill_found(before_, context.rc_buffer_size);
    bucket_.emplace(spec_->bitrate, context.rc_buffer_size, found_);
    if (!on_gpu_ && spec_->codec == VideoCodec::hevc)
        set_up_x265(context, options);
    else if (!on_gpu_ && spec_->codec == VideoCodec::h264)
        set_up_x264(start, context, options);
    else
        context.rc_initial_buffer_occupancy = static_cast<int>(found_);
    if (!on_gpu_ && has_range(*spec_))
        set_up_range(start, context);
}

void RateControl::set_up_range(Start start, AVCodecContext& context) {
    if (start == Start::careful)
        range_->coarsen();
    else
        range_.emplace(before_.rate_factor_milli);
    context.qmin = range_->finest();
    context.qmax = range_->coarsest();
}

bool RateControl::overdrawn() const {
    return may_overdraw() &&
           bucket_->fill_after(0) < kReserve * static_cast<double>(bucket_->size());
}

void RateControl::set_up_x265(AVCodecContext& context, av::Options& options) {
    const double fullness = static_cast<double>(found_) / context.rc_buffer_size;
    const bool cold = steers() && !known_factor();
    const std::string params = ":vbv-init=" + std::to_string(std::clamp(fullness, 0.001, 1.0)) +
                               (cold ? ":strict-cbr=1" : "");
    MR_CHECK(av_dict_set(options.address(), "x265-params", params.c_str(), AV_DICT_APPEND) >= 0,
             "out of memory");
    if (!steers())
        return;
    steering_.emplace(aim(), known_factor());
    if (cold)
        return;
    held_ = steering_->factor();
    options.set("crf", std::to_string(held_));
    context.bit_rate = 0;
    context.rc_min_rate = 0;
}

void RateControl::set_up_x264(Start start, AVCodecContext& context, av::Options& options) {
    context.rc_initial_buffer_occupancy = static_cast<int>(found_);
    if (!steers())
        return;
    auto known = known_factor();
    slack_ = start == Start::quick && known.value_or(0) >= kQuickFactorMin;
    if (start == Start::careful)
        known = known.value_or(0) + coarser_;
    steering_.emplace(aim(), known);
    options.set("crf", std::to_string(steering_->factor()));
    context.bit_rate = 0;
    context.rc_min_rate = 0;
    // Opened alike for both starts: x264 chooses the level by the buffer, and headers must agree.
    context.rc_buffer_size = std::min(context.rc_buffer_size, (1 << 30) / kSlack) * kSlack;
    if (slack_)
        context.rc_initial_buffer_occupancy =
            std::min(context.rc_initial_buffer_occupancy, (1 << 30) / kSlack) * kSlack;
}

// FFmpeg's libx264 hands a changed buffer or factor to x264 before the next picture; x264 then cuts
// its fill down to the buffer's size.
void RateControl::opened(AVCodecContext& context) const {
    if (steering_ && !slack_ && spec_->codec == VideoCodec::h264)
        context.rc_buffer_size = static_cast<int>(bucket_->size());
}

bool RateControl::overspent(const AVPacket& first) {
    const double share = static_cast<double>(bits_of(first)) / static_cast<double>(found_);
    if (!slack_ || share <= kFirstPictureMax)
        return false;
    coarser_ = kFactorsPerHalf * std::log2(share / kFirstPictureMax) + kCarefulMargin;
    return true;
}

void RateControl::encoded(AVCodecContext& context, const AVPacket& packet) {
    ++packets_;
    const double apart = seconds(packet.dts - last_.value_or(packet.dts));
    last_ = packet.dts;
    if (!bucket_)
        return;
    bucket_->take(bits_of(packet), apart);
    if (!steering_)
        return;
    const double step = 1 / rate_.value();
    const double fullness =
        std::clamp(bucket_->fill_after(step) / static_cast<double>(bucket_->size()), 0.0, 1.0);
    steering_->encoded({bits_of(packet), factor_of(packet, fullness),
                        (packet.flags & AV_PKT_FLAG_KEY) != 0, packets_ == 1 ? step : apart,
                        fullness});
    if (spec_->codec != VideoCodec::h264)
        return;
    av_opt_set_double(context.priv_data, "crf", steering_->factor(), 0);
    let_go_of_slack(context);
}

void RateControl::let_go_of_slack(AVCodecContext& context) const {
    const double step = 1 / rate_.value();
    if (slack_ && packets_ == 1)
        context.rc_buffer_size = static_cast<int>(
            std::max(bucket_->fill_after(step), 2 * step * static_cast<double>(spec_->bitrate)));
    else
        context.rc_buffer_size = static_cast<int>(bucket_->size());
}

RateMemory RateControl::memory() const {
    RateMemory memory;
    if (!bucket_)
        return memory;
    memory.vbv_fill_bits =
        std::max<std::int64_t>(1, std::llround(std::floor(bucket_->fill_after(1 / rate_.value()))));
    memory.rate_factor_milli =
        steering_ ? static_cast<std::int32_t>(std::lround(steering_->factor() * 1000))
        : range_  ? range_->after(static_cast<double>(memory.vbv_fill_bits) /
                                  static_cast<double>(bucket_->size()))
                  : spec_->quality * 1000;
    return memory;
}

}  // namespace millrace::media
