#pragma once
// One rendition in the making: pictures of the source in, a finished file out.
//
// Decides which pictures are shown when (FrameGrid, or the source's own times with fps 0) and which
// become key frames (KeyGrid); owns the encoder and the muxer.
//
// Thread: its owner's; knows nothing of the other renditions but the pictures they share.

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "transcoder/media/caption_queue.h"
#include "transcoder/media/muxer.h"
#include "transcoder/media/picture.h"
#include "transcoder/media/rendition_audio.h"
#include "transcoder/media/transcode.h"
#include "transcoder/media/video_copy.h"
#include "transcoder/media/video_encoder.h"

namespace millrace::media {

// What all renditions of a segment have in common.
struct SegmentFacts {
    Size display;                              // square pixels, turned
    NominalRate rate;                          // of the source
    Ticks origin = 0;                          // time 0 of the source's clock
    Ticks first = 0;                           // time of the first picture
    const AVFrame* like = nullptr;             // the first picture; null: no video
    const AVCodecParameters* audio = nullptr;  // null: none
    const VideoStream* video = nullptr;        // null: none
    Container container = Container::unknown;  // of the source
};

class Rendition {
public:
    struct Finished {
        RenditionReport report;
        std::vector<std::uint8_t> bytes;
    };

    [[nodiscard]] static Result<std::unique_ptr<Rendition>> open(const RenditionSpec& spec,
                                                                 std::uint32_t index,
                                                                 const SegmentFacts& facts,
                                                                 const TranscodeRequest& request,
                                                                 StageTimes& times);

    // The next picture of the source; `scalers` are shared by all renditions.
    [[nodiscard]] Result<void> push(const std::shared_ptr<Picture>& picture, ScalerBank& scalers);
    // Every packet of the source's video, in its order; for renditions that may be copies of it.
    void push_source(const AVPacket& packet) {
        if (copy_)
            copy_->push(packet);
    }
    // Another reference to the packet is taken where the rendition carries audio.
    [[nodiscard]] Result<void> push_audio(const AVPacket& packet);
    // `end`: of the segment. `pulse` is called between packets; its error ends the work.
    [[nodiscard]] Result<Finished> finish(Ticks end, ScalerBank& scalers,
                                          const std::function<Result<void>()>& pulse);

    [[nodiscard]] Size size() const { return shape_.size; }
    // Pairs of captions that found no place.
    [[nodiscard]] std::size_t captions_lost() const { return captions_ ? captions_->waiting() : 0; }
    // The audio could not be carried over into the container and was encoded as AAC.
    [[nodiscard]] bool audio_recoded() const { return audio_.recoded(); }

private:
    Rendition(const RenditionSpec& spec, std::uint32_t index, const SegmentFacts& facts,
              const TranscodeRequest& request, StageTimes& times);
    [[nodiscard]] Result<void> open_streams();
    [[nodiscard]] Result<void> open_encoder();
    [[nodiscard]] Result<void> open_muxer();
    [[nodiscard]] Result<void> encode_after_all(ScalerBank& scalers,
                                                const std::function<Result<void>()>& pulse);
    [[nodiscard]] Result<void> finish_copy(Ticks end);
    [[nodiscard]] Result<void> finish_encoding(Ticks end, ScalerBank& scalers,
                                               const std::function<Result<void>()>& pulse);
    [[nodiscard]] Result<void> finish_audio();
    [[nodiscard]] Result<void> show_until(Ticks until, ScalerBank& scalers);
    // A picture of the frame grid; it waits for the captions that come before the next one.
    [[nodiscard]] Result<void> queue(const std::shared_ptr<Picture>& picture, Ticks at, bool first,
                                     ScalerBank& scalers);
    [[nodiscard]] Result<void> encode_queued(bool last, ScalerBank& scalers);
    [[nodiscard]] Result<void> encode(Picture& picture, Ticks at,
                                      std::span<const std::uint8_t> captions, ScalerBank& scalers);
    void add_captions(AVPacket& packet);
    [[nodiscard]] Result<av::Pull> mux_encoded();
    [[nodiscard]] Result<void> mux_in_step(Ticks end);
    void learn_headers(const AVPacket& packet);
    // What the container counts from.
    [[nodiscard]] Ticks clock_zero() const {
        return spec_.container == Container::mp4 ? mp4_origin_ : facts_.origin;
    }
    [[nodiscard]] RenditionReport report(Ticks end, const Muxer::Written& written) const;

    const RenditionSpec& spec_;
    std::uint32_t index_;
    SegmentFacts facts_;
    av::FramePtr like_;  // what facts_.like points to
    const TranscodeRequest& request_;
    StageTimes& times_;
    Shape shape_;
    NominalRate rate_;
    Ticks first_;
    Ticks mp4_origin_ = 0;
    Ticks shown_until_ = 0;  // end of the last picture sent to the encoder
    KeyGrid keys_;
    std::optional<FrameGrid> grid_;    // none: every picture at its own time
    std::shared_ptr<Picture> held_;    // shown until the next one comes
    std::shared_ptr<Picture> queued_;  // next to be encoded
    Ticks queued_at_ = 0;
    std::optional<CaptionQueue> captions_;  // none: dropped, or every picture keeps its own
    std::map<Ticks, std::vector<std::uint8_t>> sei_;  // captions that the encoder does not write
    std::unique_ptr<VideoEncoder> encoder_;           // null: audio only, or a copy
    std::optional<VideoCopy> copy_;                   // none: encoded
    RenditionAudio audio_;
    std::unique_ptr<Muxer> muxer_;
    std::vector<av::PacketPtr> waiting_;  // MP4: packets without decoding times yet
    std::string video_codec_;
    std::vector<std::uint8_t> video_sets_;
};

}  // namespace millrace::media
