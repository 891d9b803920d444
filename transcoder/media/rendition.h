#pragma once
// One rendition in the making: scaled pictures in, a finished file out.
//
// Which pictures are shown when is decided before (sampler.h); here it is decided which become key
// frames (KeyGrid). Owns the encoder and the muxer.
//
// Thread: made by one; from open() on its owner's. Knows nothing of the other renditions but the
// pictures they share.

#include <map>
#include <memory>
#include <optional>

#include "transcoder/media/muxer.h"
#include "transcoder/media/picture.h"
#include "transcoder/media/rendition_audio.h"
#include "transcoder/media/sampler.h"
#include "transcoder/media/transcode.h"
#include "transcoder/media/video_copy.h"
#include "transcoder/media/video_encoder.h"

namespace millrace::media {

// What all renditions of a segment have in common.
struct SegmentFacts {
    Size display;                              // square pixels, turned
    av::Orientation orientation;               // of the source's pictures
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
        StageTimes times;               // of this rendition alone
        std::size_t captions_lost = 0;  // pairs that found no place when it was decoded once more
        bool audio_encoded = false;     // its sound is not the source's own packets
        bool audio_recoded = false;     // it could not be carried over and was encoded as AAC
        std::optional<EncodeChoice> encoded;  // of pictures of its own, where there is a GPU
        std::int64_t uploads = 0;
    };
    struct Ending {
        Ticks segment = 0;           // end of the segment
        std::optional<Ticks> shown;  // of the last picture on the frame grid; none: no grid
    };

    // The spec, the request and what `facts` point to must live on, `facts.like` excepted.
    Rendition(const RenditionSpec& spec, std::uint32_t index, const SegmentFacts& facts,
              const TranscodeRequest& request);

    [[nodiscard]] const RenditionSpec& spec() const { return spec_; }
    // What pictures have to be scaled to.
    [[nodiscard]] const Shape& shape() const { return shape_; }
    // The same size and format, made in another way (cascade.h). Before open().
    void set_shape(Shape shape) { shape_ = std::move(shape); }
    // False: audio only, or it may become a copy of the source, which is known at the end.
    [[nodiscard]] bool wants_pictures() const { return facts_.like != nullptr && !copy_; }
    [[nodiscard]] bool wants_source() const { return copy_.has_value(); }

    // Called between pictures and packets; its error ends the work.
    using Pulse = VideoEncoder::Pulse;
    // Before everything else.
    [[nodiscard]] Result<void> open();
    // The next picture, in shape(). `captions`: cc_data of ATSC A/53.
    [[nodiscard]] Result<void> encode(const AVFrame& picture, Ticks at,
                                      std::span<const std::uint8_t> captions, const Pulse& pulse);
    // Every packet of the source's video, in its order; for renditions that may be copies of it.
    void push_source(const AVPacket& packet) {
        if (copy_)
            copy_->push(packet);
    }
    // Another reference to the packet is taken where the rendition carries audio.
    [[nodiscard]] Result<void> push_audio(const AVPacket& packet);
    // Once.
    [[nodiscard]] Result<Finished> finish(Ending ending, const Pulse& pulse);

private:
    [[nodiscard]] Result<void> open_encoder();
    [[nodiscard]] Result<void> open_encoder(const Gpu* gpu);
    [[nodiscard]] Result<av::FramePtr> for_the_encoder(const AVFrame& picture);
    [[nodiscard]] Result<void> open_muxer();
    [[nodiscard]] Result<void> encode_after_all(Ending& ending, const Pulse& pulse);
    [[nodiscard]] Result<void> finish_copy(Ticks end);
    [[nodiscard]] Result<void> finish_encoding(Ending ending, const Pulse& pulse);
    [[nodiscard]] Result<void> finish_audio();
    void add_captions(AVPacket& packet);
    [[nodiscard]] Result<av::Pull> mux_encoded(const Pulse& pulse);
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
    av::FramePtr tags_;  // of what is encoded
    const TranscodeRequest& request_;
    StageTimes times_;
    Shape shape_;
    EncodeChoice encode_by_;           // of a segment with a GPU
    std::optional<Scaler> to_planes_;  // where the card refused and the CPU encodes
    NominalRate rate_;
    Ticks first_;
    Ticks mp4_origin_ = 0;
    KeyGrid keys_;
    std::map<Ticks, std::vector<std::uint8_t>> sei_;  // captions that the encoder does not write
    std::unique_ptr<VideoEncoder> encoder_;           // null: audio only, or a copy
    std::optional<VideoCopy> copy_;                   // none: encoded
    RenditionAudio audio_;
    std::size_t captions_lost_ = 0;
    std::unique_ptr<Muxer> muxer_;
    std::vector<av::PacketPtr> waiting_;  // MP4: packets without decoding times yet
    std::string video_codec_;
    std::vector<std::uint8_t> video_sets_;
};

}  // namespace millrace::media
