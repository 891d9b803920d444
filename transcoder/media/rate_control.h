#pragma once
// Rate control of one rendition's encoder over one segment, and what the next segment's needs to go
// on from it: the fill of the decoder's buffer and the rate factor.
//
// Modes of a rendition (contract.md, section 3)
// - quality alone, or neither: constant rate factor, no buffer.
// - quality and bitrate: constant rate factor under a ceiling, with a buffer.
// - bitrate alone: the rate factor of libx264 and libx265 is steered (rate_steering.h), with a buffer;
//   libx264's from picture to picture, libx265's from segment to segment, as FFmpeg 5.1 cannot tell
//   it another one under way. Its own bitrate mode makes a session's first segment. Other encoders
//   (NVENC's, too) use their own bitrate mode, which starts cold with every segment; libvpx and
//   libaom get a range of quantisers (quantiser_range.h) on top, which keeps them from starting far off.
// The buffer's fill is handed to all of them.
//
// Where the fill is not known, a segment with a known rate factor is assumed to find half a buffer,
// one with nothing at all (a session's first) what x264 assumes.
//
// A cold libx264 starts far too coarse, as if it took pictures for larger than they become (what
// helped was measured; its predictors were not read). A steered segment's first picture, the one that shows, is therefore encoded against a buffer and
// a fill of twice the truth where the factor is known (Start::quick); then the buffer shrinks to the true fill and grows back
// to its true size. At hard cuts that can be too much: the picture is thrown away and the segment
// begun again without the slack, and so much coarser that it fits (Start::careful). A segment with a range that would
// run the buffer empty, at whatever picture, is begun again with a coarser one.
//
// Thread: its owner's.

#include <optional>

#include "transcoder/media/encoder_options.h"
#include "transcoder/media/quantiser_range.h"
#include "transcoder/media/rate_steering.h"
#include "transcoder/media/vbv.h"

namespace millrace::media {

class RateControl {
public:
    enum class Start : std::uint8_t { quick, careful };

    explicit RateControl(const EncoderSettings& settings);

    // Amends what apply() has set; begins anew when called again.
    void set_up(Start start, AVCodecContext& context, av::Options& options);
    void opened(AVCodecContext& context) const;
    // True when a quick start's first packet takes more than it may; it must not be used then, but a
    // careful start follow.
    [[nodiscard]] bool overspent(const AVPacket& first);
    // False: overspent() never holds, and nothing has to be kept for beginning again.
    [[nodiscard]] bool may_overspend() const { return slack_; }
    // The packets so far, all of them told by encoded(), leave too little in the buffer: a careful start must follow,
    // and none of them be used.
    [[nodiscard]] bool overdrawn() const;
    // False: overdrawn() never holds again.
    [[nodiscard]] bool may_overdraw() const { return range_ && range_->can_coarsen(); }
    // After every packet, its decoding time in ticks. The encoder must encode one picture per
    // packet, which holds for one thread.
    void encoded(AVCodecContext& context, const AVPacket& packet);

    [[nodiscard]] RateMemory memory() const;

private:
    void let_go_of_slack(AVCodecContext& context) const;
    [[nodiscard]] bool steers() const;
    void set_up_x264(Start start, AVCodecContext& context, av::Options& options);
    void set_up_x265(AVCodecContext& context, av::Options& options);
    void set_up_range(Start start, AVCodecContext& context);
    [[nodiscard]] std::optional<double> known_factor() const;
    [[nodiscard]] RateSteering::Aim aim() const;
    [[nodiscard]] double factor_of(const AVPacket& packet, double fullness) const;

    const RenditionSpec* spec_;
    Size size_;
    Rational rate_;
    bool on_gpu_;  // NVENC
    RateMemory before_;
    bool slack_ = false;
    double coarser_ = 0;      // a careful start, in factors
    double held_ = 0;         // libx265's factor for the whole segment; 0 = its bitrate mode
    std::int64_t found_ = 0;  // bits in the buffer
    std::optional<VbvBucket> bucket_;
    std::optional<RateSteering> steering_;
    std::optional<QuantiserRange> range_;
    std::optional<Ticks> last_;  // decoding time
    std::int64_t packets_ = 0;
};

}  // namespace millrace::media
