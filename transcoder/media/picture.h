#pragma once
// A decoded picture and its scaled versions: one scale per distinct shape, made when the first
// rendition asks and shared by the others.
//
// Scaling is bicubic and direct from the source, or from a larger shape where the ladder asks for it
// (cascade.h). Turned sources (phones) are scaled first and
// turned after, which moves fewer pixels. Output is limited range. Pictures that need it are tone
// mapped for 8-bit shapes; otherwise colours stay the source's.
//
// A source whose size, pixel shape or format changes in mid-segment goes on into the shape that the
// segment began with: a rendition has one size from its first picture to its last.
//
// Thread: its owner's.

#include <memory>
#include <vector>

#include "transcoder/media/colour.h"

namespace millrace::media {

// What a rendition needs a picture to be.
struct Shape {
    Size size;  // after turning
    AVPixelFormat format = AV_PIX_FMT_YUV420P;
    std::shared_ptr<const Shape> from =
        nullptr;  // scaled from the picture in that shape; null: the source

    bool operator==(const Shape& other) const {
        const bool alike = from && other.from ? *from == *other.from : from == other.from;
        return alike && size == other.size && format == other.format;
    }
};

// The colours of pictures in that format made of such a source; what an encoder is told.
[[nodiscard]] av::FramePtr tags_for(const AVFrame& source, AVPixelFormat format);

[[nodiscard]] AVPixelFormat pixel_format(ChromaFormat chroma, std::int32_t depth);

// Turns and mirrors planar pictures of at most 16 bits. Formats whose chroma is halved in one
// direction only cannot be turned by a quarter.
[[nodiscard]] av::FramePtr turned(const AVFrame& picture, av::Orientation orientation);

// Scaling contexts kept from picture to picture; one per shape.
class Scaler {
public:
    Scaler(Shape shape, av::Orientation orientation);

    [[nodiscard]] Result<av::FramePtr> apply(const AVFrame& source);
    [[nodiscard]] const Shape& shape() const { return shape_; }

private:
    [[nodiscard]] Result<av::FramePtr> scale(const AVFrame& source);
    [[nodiscard]] Result<av::FramePtr> convert(const AVFrame& source, Size size,
                                               AVPixelFormat format, av::ScalerPtr& context);

    Shape shape_;
    av::Orientation orientation_;
    Size size_;             // before turning
    AVPixelFormat format_;  // before turning
    av::ScalerPtr context_;
    av::ScalerPtr after_turning_;  // back to 4:2:2
    ToneMap tone_map_;
};

class ScalerBank {
public:
    explicit ScalerBank(av::Orientation orientation) : orientation_(orientation) {}
    [[nodiscard]] Scaler& for_shape(const Shape& shape);

private:
    av::Orientation orientation_;
    std::vector<std::unique_ptr<Scaler>> scalers_;
};

class Picture {
public:
    struct Version {
        Shape shape;
        av::FramePtr frame;
    };

    // `at`: time of the picture in ticks.
    Picture(av::FramePtr source, Ticks at) : source_(std::move(source)), at_(at) {}

    [[nodiscard]] Ticks at() const { return at_; }
    [[nodiscard]] const AVFrame& source() const { return *source_; }
    // Its pixels lie on the card (AV_PIX_FMT_CUDA) until somebody brings them.
    [[nodiscard]] bool is_on_card() const { return source_->format == AV_PIX_FMT_CUDA; }
    // `source`: in system memory, or without pixels where `made` holds all shapes that anybody will ask for.
    void bring(av::FramePtr source, std::vector<Version> made) {
        source_ = std::move(source);
        versions_ = std::move(made);
    }
    // The picture in that shape; `scale_us` grows by the CPU time this cost.
    [[nodiscard]] Result<const AVFrame*> in_shape(const Shape& shape, ScalerBank& scalers,
                                                  std::int64_t& scale_us);

private:
    av::FramePtr source_;
    Ticks at_;
    std::vector<Version> versions_;
};

}  // namespace millrace::media
