#pragma once
// The sound of a segment as plain samples on the source's clock: decoded, resampled, mixed to the
// channels that are wanted.
//
// Promises: gaps in the source are silence of their length. Where the sound begins is an average
// over all timestamps, which takes their rounding out. The first frame after a cold start lacks its
// predecessor (all codecs here overlap their frames), so it is replaced by what follows it,
// mirrored: one of the segment before where sound from there was given.
// Thread: its owner's.

#include <memory>
#include <optional>
#include <vector>

#include "transcoder/media/av.h"

namespace millrace::media {

class SoundLine {
public:
    [[nodiscard]] static Result<std::unique_ptr<SoundLine>> open(const AVCodecParameters& source,
                                                                 int rate, int channels,
                                                                 Ticks origin);

    // `before`: a packet of the segment before, which only prepares what comes.
    [[nodiscard]] Result<void> push(const AVPacket& packet, bool before = false);
    [[nodiscard]] Result<void> finish();

    [[nodiscard]] bool empty() const { return !own_; }
    // Of the segment's own sound, in samples since time 0.
    [[nodiscard]] double start() const;
    [[nodiscard]] double end() const;
    // `count` samples of a channel from `position` on. What lies outside is mirrored at the ends.
    void copy(int channel, std::int64_t position, std::int64_t count, float* to) const;

private:
    SoundLine(av::CodecPtr decoder, int rate, int channels, Ticks origin);
    [[nodiscard]] Result<void> take_decoded(bool before);
    [[nodiscard]] Result<void> take(const AVFrame& frame, bool before);
    [[nodiscard]] Result<void> set_up_resampler(const AVFrame& frame);
    void place(const AVFrame& frame, bool before);
    void close_gap(std::int64_t samples);
    [[nodiscard]] Result<void> resample(const AVFrame* frame);
    void repair_start();
    [[nodiscard]] std::int64_t base() const;

    av::CodecPtr decoder_;
    av::ResamplerPtr resampler_;
    int in_rate_ = 0;
    int in_format_ = -1;
    int in_channels_ = 0;
    int rate_;
    int channels_;
    Ticks origin_;
    std::vector<std::vector<float>> samples_;
    double length_ = 0;     // samples that have gone in, at the rate that comes out
    double position_ = 0;   // of the first, by the first timestamp
    double error_sum_ = 0;  // of the timestamps against that
    std::int64_t stamps_ = 0;
    std::optional<double> own_;  // where the segment's own sound begins in samples_
    std::int64_t spoiled_ = 0;   // samples of the first frames after a cold start
    std::int64_t frames_ = 0;
};

}  // namespace millrace::media
