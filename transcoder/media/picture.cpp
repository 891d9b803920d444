#include "transcoder/media/picture.h"

#include <algorithm>
#include <array>

#include "transcoder/media/cpu_timer.h"

namespace millrace::media {
namespace {

// The "J" formats are the plain ones with full range, an old way of saying so.
AVPixelFormat plain(AVPixelFormat format) {
    switch (format) {
        case AV_PIX_FMT_YUVJ420P:
            return AV_PIX_FMT_YUV420P;
        case AV_PIX_FMT_YUVJ422P:
            return AV_PIX_FMT_YUV422P;
        case AV_PIX_FMT_YUVJ444P:
            return AV_PIX_FMT_YUV444P;
        case AV_PIX_FMT_YUVJ440P:
            return AV_PIX_FMT_YUV440P;
        default:
            return format;
    }
}

bool is_full_range(const AVFrame& frame) {
    return frame.color_range == AVCOL_RANGE_JPEG ||
           plain(static_cast<AVPixelFormat>(frame.format)) != frame.format;
}

bool halves_one_way(AVPixelFormat format) {
    const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(format);
    return d->log2_chroma_w != d->log2_chroma_h;
}

// The same chroma in 10 bits: a tone map of 8 would show bands.
AVPixelFormat deeper(AVPixelFormat format) {
    switch (format) {
        case AV_PIX_FMT_YUV420P:
            return AV_PIX_FMT_YUV420P10;
        case AV_PIX_FMT_YUV422P:
            return AV_PIX_FMT_YUV422P10;
        default:
            return AV_PIX_FMT_YUV444P10;
    }
}

bool is_shallow(AVPixelFormat format) {
    return av_pix_fmt_desc_get(format)->comp[0].depth <= 8;
}

AVPixelFormat with_full_chroma(AVPixelFormat format) {
    return av_pix_fmt_desc_get(format)->comp[0].depth > 8 ? AV_PIX_FMT_YUV444P10
                                                          : AV_PIX_FMT_YUV444P;
}

av::FramePtr new_picture(Size size, AVPixelFormat format) {
    av::FramePtr frame = av::make_frame();
    frame->width = size.width;
    frame->height = size.height;
    frame->format = format;
    MR_CHECK(av_frame_get_buffer(frame.get(), 0) >= 0, "out of memory for a picture");
    return frame;
}

void take_properties(AVFrame& to, const AVFrame& from) {
    MR_CHECK(av_frame_copy_props(&to, &from) >= 0, "out of memory");
    to.sample_aspect_ratio = {1, 1};
    to.color_range = AVCOL_RANGE_MPEG;
}

// `source`: size of the plane before.
template <class Sample>
void turn_plane(const std::uint8_t* from, std::ptrdiff_t from_stride, std::uint8_t* to,
                std::ptrdiff_t to_stride, Size source, av::Orientation orientation) {
    // Step through the source so that the destination is written in order.
    const std::int32_t out_width = orientation.swaps_sides() ? source.height : source.width;
    const std::int32_t out_height = orientation.swaps_sides() ? source.width : source.height;
    for (std::int32_t y = 0; y < out_height; ++y) {
        auto* out = reinterpret_cast<Sample*>(to + y * to_stride);
        for (std::int32_t column = 0; column < out_width; ++column) {
            const std::int32_t x = orientation.mirrored ? out_width - 1 - column : column;
            std::int32_t sx = x;
            std::int32_t sy = y;
            if (orientation.turn == 90) {
                sx = y;
                sy = source.height - 1 - x;
            } else if (orientation.turn == 180) {
                sx = source.width - 1 - x;
                sy = source.height - 1 - y;
            } else if (orientation.turn == 270) {
                sx = source.width - 1 - y;
                sy = x;
            }
            out[column] = reinterpret_cast<const Sample*>(from + sy * from_stride)[sx];
        }
    }
}

}  // namespace

AVPixelFormat pixel_format(ChromaFormat chroma, std::int32_t depth) {
    switch (chroma) {
        case ChromaFormat::yuv422:
            return depth > 8 ? AV_PIX_FMT_YUV422P10 : AV_PIX_FMT_YUV422P;
        case ChromaFormat::yuv444:
            return depth > 8 ? AV_PIX_FMT_YUV444P10 : AV_PIX_FMT_YUV444P;
        default:
            return depth > 8 ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
    }
}

av::FramePtr turned(const AVFrame& picture, av::Orientation orientation) {
    const auto format = static_cast<AVPixelFormat>(picture.format);
    const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(format);
    const bool quarter = orientation.swaps_sides();
    MR_CHECK(!quarter || !halves_one_way(format), "such chroma cannot be turned a quarter");
    av::FramePtr made = new_picture(
        quarter ? Size{picture.height, picture.width} : Size{picture.width, picture.height},
        format);
    for (int plane = 0; plane < 3; ++plane) {
        const int shift_w = plane == 0 ? 0 : description->log2_chroma_w;
        const int shift_h = plane == 0 ? 0 : description->log2_chroma_h;
        const Size source{AV_CEIL_RSHIFT(picture.width, shift_w),
                          AV_CEIL_RSHIFT(picture.height, shift_h)};
        const auto turn =
            description->comp[0].depth > 8 ? &turn_plane<std::uint16_t> : &turn_plane<std::uint8_t>;
        turn(picture.data[plane], picture.linesize[plane], made->data[plane], made->linesize[plane],
             source, orientation);
    }
    take_properties(*made, picture);
    return made;
}

Result<av::FramePtr> Scaler::convert(const AVFrame& source, Size size, AVPixelFormat format,
                                     av::ScalerPtr& context) {
    const AVPixelFormat from = plain(static_cast<AVPixelFormat>(source.format));
    // A new context only when the source changed (its size may do so in mid-segment).
    context.reset(sws_getCachedContext(context.release(), source.width, source.height, from,
                                       size.width, size.height, format, SWS_BICUBIC, nullptr,
                                       nullptr, nullptr));
    if (!context)
        return error(ErrorKind::unsupported, "pictures of this format cannot be scaled");
    // The same matrix on both sides: only the range changes, never the colours. RGB has none and
    // gets the one that the rendition is tagged with.
    const int* matrix = sws_getCoefficients(colour_of(source).matrix);
    sws_setColorspaceDetails(context.get(), matrix, is_full_range(source) ? 1 : 0, matrix, 0, 0,
                             1 << 16, 1 << 16);
    av::FramePtr scaled = new_picture(size, format);
    const int rc = sws_scale(context.get(), source.data, source.linesize, 0, source.height,
                             scaled->data, scaled->linesize);
    if (rc < 0)
        return av::error(ErrorKind::internal, "sws_scale", rc);
    take_properties(*scaled, source);
    return scaled;
}

Scaler::Scaler(Shape shape, av::Orientation orientation)
    : shape_(shape),
      orientation_(orientation),
      size_(orientation.swaps_sides() ? Size{shape.size.height, shape.size.width} : shape.size),
      format_(orientation.swaps_sides() && halves_one_way(shape.format)
                  ? with_full_chroma(shape.format)
                  : shape.format),
      tone_map_(format_) {}

Result<av::FramePtr> Scaler::scale(const AVFrame& source) {
    if (is_shallow(format_) && needs_tone_map(colour_of(source))) {
        auto deep = convert(source, size_, deeper(format_), context_);
        return deep ? tone_map_.apply(**deep, source) : std::move(deep);
    }
    if (source.format != format_ || Size{source.width, source.height} != size_ ||
        is_full_range(source))
        return convert(source, size_, format_, context_);
    av::FramePtr same = av::share(source);
    same->sample_aspect_ratio = {1, 1};
    return same;
}

Result<av::FramePtr> Scaler::apply(const AVFrame& source) {
    auto scaled = scale(source);
    if (!scaled)
        return scaled;
    if (!orientation_.upright())
        scaled = turned(**scaled, orientation_);
    if (format_ != shape_.format)
        return convert(**scaled, shape_.size, shape_.format, after_turning_);
    return scaled;
}

av::FramePtr tags_for(const AVFrame& source, AVPixelFormat format) {
    av::FramePtr tags = av::make_frame();
    const Colour colour = colour_of(source);
    const bool wide = needs_tone_map(colour);
    const bool mapped = wide && is_shallow(format);
    tag(*tags, mapped ? sdr() : colour);
    tags->chroma_location = source.chroma_location;
    if (wide && !mapped)
        copy_mastering(*tags, source);
    return tags;
}

Scaler& ScalerBank::for_shape(const Shape& shape) {
    for (const auto& scaler : scalers_)
        if (scaler->shape() == shape)
            return *scaler;
    // A larger picture has been turned already.
    return *scalers_.emplace_back(
        std::make_unique<Scaler>(shape, shape.from ? av::Orientation{} : orientation_));
}

Result<const AVFrame*> Picture::in_shape(const Shape& shape, ScalerBank& scalers,
                                         std::int64_t& scale_us) {
    for (const Version& version : versions_)
        if (version.shape == shape)
            return version.frame.get();
    const AVFrame* from = source_.get();
    if (shape.from) {
        auto larger = in_shape(*shape.from, scalers, scale_us);
        if (!larger)
            return larger;
        from = *larger;
    }
    if (from->data[0] == nullptr)
        return error(ErrorKind::internal, "a picture was left on the card that is wanted here");
    const CpuTimer timer(scale_us);
    auto scaled = scalers.for_shape(shape).apply(*from);
    if (!scaled)
        return scaled.error();
    versions_.push_back({shape, std::move(*scaled)});
    return versions_.back().frame.get();
}

}  // namespace millrace::media
