#pragma once
// The video stream of a segment on its way from packets to pictures: decoded, given a time, made
// whole where it is interlaced, and counted.
//
// Where the codec changes in mid-segment, pictures, count and clock go on.
//
// Promises: what cannot be decoded from this segment alone (leading pictures of an open GOP, what
// comes before the first key frame) never comes out and is counted as left out.
// Thread: its owner's.

#include <set>

#include "transcoder/media/decoder.h"
#include "transcoder/media/deinterlacer.h"
#include "transcoder/media/demuxer.h"
#include "transcoder/media/findings.h"
#include "transcoder/media/picture.h"
#include "transcoder/media/video_clock.h"

namespace millrace::media {

class VideoSource {
public:
    [[nodiscard]] static Result<std::unique_ptr<VideoSource>> open(const VideoStream& stream,
                                                                   Container container,
                                                                   const Limits& limits,
                                                                   int threads,
                                                                   std::shared_ptr<Gpu> gpu = {});

    // One packet, null at the end; then next() until it gives nothing. `decode_us` grows by the CPU
    // time this cost.
    [[nodiscard]] Result<void> send(const AVPacket* packet, std::int64_t& decode_us);
    [[nodiscard]] Result<std::shared_ptr<Picture>> next(std::int64_t& decode_us);

    [[nodiscard]] std::int64_t frames() const { return frames_; }
    [[nodiscard]] std::int64_t pixels() const { return pixels_; }
    // First and last time of the pictures so far; none without pictures.
    [[nodiscard]] std::optional<Ticks> first() const { return clock_.first(); }
    [[nodiscard]] Ticks end() const { return clock_.end(); }
    void add_to(Findings& findings) const;
    [[nodiscard]] StagesUsed stages_used() const;

private:
    VideoSource(Decoder decoder, const VideoStream& stream, Container container,
                const Limits& limits, int threads, std::shared_ptr<Gpu> gpu);
    [[nodiscard]] Result<void> go_on_with(const VideoStream& stream);
    [[nodiscard]] int damaged() const { return damaged_before_ + decoder_.damaged(); }
    void forget_lost(const AVFrame& frame);
    [[nodiscard]] std::optional<Ticks> stamp_of(const AVFrame& frame);
    [[nodiscard]] bool waits_for_key(const AVPacket& packet);
    [[nodiscard]] Result<av::Pull> decode_one(std::int64_t& decode_us);
    [[nodiscard]] Result<void> take(av::FramePtr frame);
    [[nodiscard]] int left_out() const;

    Decoder decoder_;
    VideoClock clock_;
    Deinterlacer deinterlacer_;
    Limits limits_;
    int threads_;
    std::shared_ptr<Gpu> gpu_;  // null: none
    int damaged_before_ = 0;    // pictures of earlier codecs
    std::int64_t downloads_before_ = 0;
    bool needs_key_;  // the decoder would show something before the first key frame
    std::int64_t packets_ = 0;
    bool saw_key_ = false;
    bool saw_any_key_ = false;  // also of earlier codecs
    bool drained_ = false;
    std::vector<Ticks> stamps_;         // of the packets, until it is known which are left out
    std::optional<Ticks> first_stamp_;  // of the first picture, as its packet had it
    // Remuxers of raw streams number pictures as they are coded. Where pictures are reordered but
    // their times never step back, those times are right as a set: the smallest is the next one's.
    bool coding_order_;
    std::optional<Ticks> last_stamp_;
    std::multiset<Ticks> outstanding_;
    Size size_;  // of the picture before
    std::int64_t frames_ = 0;
    std::int64_t pixels_ = 0;
};

}  // namespace millrace::media
